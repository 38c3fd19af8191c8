"""The comparison of gradient estimators."""
