"""CLIP: two towers, one space.

`towers` holds the model, `model` its files, `text` the tokens, `prompts` the sentences, `mapper` IPL's
prompt mapper, `transformer_mapper` the thesis' ones, `torchscript` reads OpenAI's archives without running them,
and `openai` takes a model that OpenAI's own module loaded.
"""
