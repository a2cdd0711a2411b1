"""CLIP: two towers, one space.

`towers` holds the model, `model` its files, `text` the tokens, `prompts` the sentences, `mapper` IPL's
prompt mapper, and `torchscript` reads OpenAI's archives without running them.
"""
