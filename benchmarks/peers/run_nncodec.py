"""Code a network's weights with NNCodec, the NNC standard, at some quantisation parameters.

    python -m venv ENV
    ENV/bin/pip install nncodec==2.1.3 torch==2.14.1 safetensors
    ENV/bin/python benchmarks/peers/run_nncodec.py IN.safetensors OUT --qp -32 -26

For each qp it writes `OUT/qp-32.nnc`, the bitstream, `OUT/qp-32.safetensors`, what the bitstream
decodes to, and `OUT/qp-32.json`, how that was done. Without options NNCodec has the settings of its
own `nncodec.nn.encode`. Nothing here sees data: it only quantises and codes.

Source: ISO/IEC 15938-17; Becking et al. 2023, "NNCodec: an open source software implementation of
the neural network coding ISO/IEC standard", ICML workshop on neural compression.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from nncodec import nnc  # only in the peer's environment
from safetensors.numpy import load_file, save_file


def main() -> None:
    """Code the weights at each qp."""
    parser = argparse.ArgumentParser(description="Code weights with NNCodec.")
    parser.add_argument("source", type=Path, metavar="IN.safetensors")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument(
        "--qp", type=int, nargs="+", required=True, help="of weights; 4 more double the step"
    )
    parser.add_argument("--lambda-scale", type=float, default=0.0, help="weight of the rate")
    parser.add_argument("--relative-bias-qp", action="store_true", help="qp - 8, not -75")
    chosen = parser.parse_args()
    settings = {
        "nonweight_qp": None if chosen.relative_bias_qp else -75,
        "lambda_scale": chosen.lambda_scale,
        "use_dq": True,
        "row_skipping": True,
    }
    weights = load_file(chosen.source)
    chosen.out.mkdir(parents=True, exist_ok=True)
    for qp in chosen.qp:
        _code(weights, chosen.out / f"qp{qp}", {"qp": qp, **settings})


def _code(weights: Mapping[str, Any], stem: Path, settings: Mapping[str, Any]) -> None:
    bitstream = stem.with_suffix(".nnc")
    begin = time.perf_counter()
    nnc.compress(dict(weights), bitstream_path=str(bitstream), **settings)
    coded = time.perf_counter()
    decoded = nnc.decompress(str(bitstream))
    end = time.perf_counter()
    save_file({name: decoded[name] for name in weights}, stem.with_suffix(".safetensors"))
    facts = {
        "settings": settings,
        "bytes": bitstream.stat().st_size,
        "encode_seconds": round(coded - begin, 3),
        "decode_seconds": round(end - coded, 3),
        "peak_rss_bytes": _peak_rss_bytes(),
        "versions": "; ".join(f"{name} {metadata.version(name)}" for name in ("nncodec", "numpy")),
    }
    stem.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")


def _peak_rss_bytes() -> int:
    """Return this process's own peak; `getrusage` would begin with that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
