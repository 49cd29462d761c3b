"""Model versions in the store: publish, resolve, fetch, promote and roll back."""
