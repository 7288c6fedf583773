"""The operator's command line against a deployed stage; never ships."""
