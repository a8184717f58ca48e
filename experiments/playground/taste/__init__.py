"""The blind taste test: pairs of generations -> a static page -> votes -> preferences with intervals."""
