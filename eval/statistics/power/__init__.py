"""What a study of some size decides, predicted from variances or from shares of documents.

`assurance`: smallest differences and reachable margins, over seeds and documents; `shares`: the same of
paired shares at one seed, by the exact test; `changes`: what an undecided comparison needs.
"""
