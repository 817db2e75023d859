"""Our quantizer beside those of ONNX Runtime and NNCF, on the same samples: accuracy, time, memory, size.

    python -m tools.quantizers run --json DIR [--networks kws_dscnn,digits] [--cases 'ours/*,nncf/default']
    python -m tools.quantizers time --json DIR [--passes 2]
    python -m tools.quantizers report DIR docs/results/quantizers.md

`cases` says what is compared, `data` on which samples, `launch` starts a process for each step, `worker` is that
process, `ours`, `onnxruntime_static` and `openvino_nncf` quantize and run, `scores` judges, `report` writes Markdown.
"""
