"""Figures, tables and the report of a study, from its records alone; nothing here loads torch.

`tidy` reads records into frames, `plots` draws a frame into an Axes, `gallery` puts plots together as
figures, `tables` and `wording` make tables and sentences, `report` the page. `style` is the look of all
figures.
"""
