"""New worlds by a model: it designs and specifies them as data, the audit proves them, and what passes is packaged.

No generated Python is ever run: a specification is parsed and interpreted (``environments/worlds/spec``). It needs
:mod:`.pipeline` to generate, and :mod:`.package` to read what was generated.
"""
