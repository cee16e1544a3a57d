"""The configuration: values (`model`), reading TOML (`load`), the manual (`reference`).

Every option has its default, limits and help in `model`, and nowhere else.
"""
