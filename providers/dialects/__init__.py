"""Wire formats of providers, one a module or package."""
