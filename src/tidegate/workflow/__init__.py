"""The workflow language: triggers, expressions, plan. Pure: values in, values out; no file, socket or process."""
