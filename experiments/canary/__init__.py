"""Whether another version of peft, transformers, accelerate or torch trains and scores as this one does.

`environments` makes a virtual environment for each side, `runs` is the same small runs inside one, `drift`
compares their losses, gradients and likelihoods, and `compare` ties them and searches the first release that
moved.
"""
