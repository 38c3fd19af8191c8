"""Command line programs that train, evaluate and export the models of tf_discrete."""
