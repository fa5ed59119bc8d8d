"""A forum: several agents post, comment, vote and rewrite their memories, round by round."""
