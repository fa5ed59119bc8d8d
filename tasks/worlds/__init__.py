"""Generated worlds as tasks: ``worlds/NAME`` and ``worlds/factors``. See :mod:`.task` and :mod:`.factors`."""
