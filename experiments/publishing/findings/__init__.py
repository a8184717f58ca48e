"""The findings: whether LoRA is as good as full fine-tuning, by size, base model and data.

`opening` answers in three sentences, `across` has one row per condition of any study, `headline` the main
study in full, `judged` the published findings, and `page` writes docs/findings.md of it all.
"""
