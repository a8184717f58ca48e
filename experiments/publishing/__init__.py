"""Studies that are kept in `experiments/results/`, and the pages that are written from their records.

`keep` packs a study's records; `rebuild` draws its report from them; `board` and `findings` write docs/.
"""
