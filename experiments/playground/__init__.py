"""Pages and tables where people look at what models write."""
