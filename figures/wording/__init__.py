"""How names, numbers and findings are worded, the same in every table, figure and sentence."""
