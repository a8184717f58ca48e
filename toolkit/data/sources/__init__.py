"""Where rows come from: an installed package, local files, the Hugging Face hub, or a mixture of these."""
