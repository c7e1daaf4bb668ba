"""The whole way from nothing to a measured bundle as one command that can be killed at any point.

`run` makes the stages of `gatling.pipeline.stages` one after the other. Each has a key, the hash of all that
decides its output; one whose key and output are as they were is kept.
"""
