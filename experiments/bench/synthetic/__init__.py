"""Made-up inputs for benches and tests.

`planted` writes rows with known near-copies, `finished` writes the records of a finished study, `shapes`
saves models of published shapes with random weights.
"""
