"""How names, numbers and findings are worded, the same in every table, figure and sentence.

Records hold numbers and literals; the labels, units and sentences that people read are made here.
"""
