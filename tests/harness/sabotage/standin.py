"""An environment that looks like a healthy one of SlowFast and weighs nothing: a real venv, stand-ins of a few lines for every package.

What the subject's data say it needs is there, with records and requirements as installers write them, so that the doctor has nothing
to say up to the rung imports, and each thing that is broken afterwards shows alone. Needs no network and no torch.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import venv
from pathlib import Path

from slowfast_verify.subject import subject
from slowfast_verify.target import of_prefix

VERSIONS = {
    "torch": "2.1.2", "torchvision": "0.16.2", "numpy": "1.26.4", "opencv-python": "4.11.0.86", "pillow": "10.4.0", "pyyaml": "6.0.2",
    "pytorchvideo": "0.1.5", "detectron2": "0.6", "fvcore": "0.1.5.post20221221", "scikit-learn": "1.5.2", "protobuf": "5.29.0",
}  # fmt: skip
CONTENT = {
    "torch/__init__.py": "from torch.version import __version__\nimport torch._C\nimport numpy\n",
    "torch/_C.py": "",
    "torch/version.py": "__version__ = '2.1.2+cpu'\ncuda = None\nhip = None\n",
    "torch/lib/libtorch_cpu.so": "no library",
    "torchvision/__init__.py": "import torch\nimport PIL.Image\n",
    "torchvision/version.py": "__version__ = '0.16.2+cpu'\ncuda = None\n",
    "torchvision/_C.so": "\x7fELF no library",
    "pytorchvideo/layers/__init__.py": "",
    "pytorchvideo/layers/distributed.py": "import torch\n\ndef cat_all_gather(tensors, local=False):\n    return tensors\n",
    "detectron2/__init__.py": "import torch\nimport fvcore\n",
}
REQUIRES = {
    "torchvision": ["torch (==2.1.2)", "numpy", "pillow (!=8.3.*,>=5.3.0)"], "pandas": ["numpy>=1.22"], "scipy": ["numpy<2.3,>=1.22"],
    "scikit-learn": ["numpy>=1.19.5", "scipy>=1.6"],
    "fvcore": ["numpy", "yacs>=0.1.6", "pyyaml>=5.1", "tqdm", "termcolor", "pillow", "iopath"],
    "matplotlib": ["numpy>=1.23", "pillow>=8"], "opencv-python": ["numpy>=1.21.2"],
}  # fmt: skip
SLOWFAST = {
    "slowfast/__init__.py": "",
    "slowfast/datasets/__init__.py": "from slowfast.datasets.loader import load\nimport av\n\nclass Ptvkinetics:\n    pass\n",
    "slowfast/datasets/loader.py": "import torch\nimport numpy\nimport scipy.ndimage\nimport cv2\nimport pandas\n\ndef load():\n    pass\n",
    "slowfast/models/__init__.py": "import torch\nimport detectron2.layers\nimport fvcore\n\ndef build_model(cfg):\n    return cfg\n",
    "slowfast/utils/__init__.py": "",
    "slowfast/utils/distributed.py": "from pytorchvideo.layers.distributed import cat_all_gather\n",
    "slowfast/utils/misc.py": "import psutil\nimport matplotlib.pyplot\n",
}
COMMANDS = {
    "bin/pip": "#!{python}\nimport sys\nfrom pip import main\nsys.exit(main())\n",
    "bin/activate": 'VIRTUAL_ENV="{env}"\nexport VIRTUAL_ENV\n',
}


def make(env: Path) -> Path:
    """Make the environment in a folder that does not exist; returns its site-packages."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(env)
    (site,) = env.glob("lib/python*/site-packages")
    wanted = subject("pyslowfast")
    modules: dict[str, list[str]] = {}
    for row in wanted.dependency:
        if row.kind == "distribution" and not row.optional:
            modules.setdefault(row.distributions[0], []).append(row.module)
    for row in wanted.required_name:
        top = row.module.partition(".")[0]
        if top not in wanted.modules.packages:
            modules.setdefault(top, []).append(row.module)
    tensorboard = modules.pop("tensorboard")
    modules["torch"] += tensorboard
    for name, names in {**modules, "pip": ["pip"], "setuptools": ["setuptools", "pkg_resources"]}.items():
        install(site, name, VERSIONS.get(name, "99.0"), {**_packages(names), **_content(names)}, REQUIRES.get(name, []))
    install(site, "tensorboard", "2.14.0", {"tensorboard/__init__.py": ""}, [])
    install(site, "slowfast", "1.0", SLOWFAST, [])
    for name, text in COMMANDS.items():
        (env / name).write_text(text.format(env=env, python=env / "bin" / "python"), encoding="utf-8")
        (env / name).chmod(0o755)
    return site


def copy(template: Path, env: Path) -> None:
    """The template once more, in another folder, as if it had been made there."""
    shutil.copytree(template, env, symlinks=True)
    for name, text in COMMANDS.items():
        (env / name).write_text(text.format(env=env, python=env / "bin" / "python"), encoding="utf-8")
    config = env / "pyvenv.cfg"
    config.write_text(config.read_text(encoding="utf-8").replace(str(template), str(env)), encoding="utf-8")


def python_of(env: Path) -> Path:
    """Its interpreter, whether it works or not."""
    return of_prefix(env) or env / "bin" / "python"


def install(site: Path, name: str, version: str, files: dict[str, str], requires: list[str], installer: str = "pip") -> None:
    """Put a distribution of these files there, with METADATA, RECORD, WHEEL, INSTALLER and top_level.txt."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {row}" for row in requires)]
    tops = sorted({path.partition("/")[0].removesuffix(".py") for path in files})
    whole = {
        **files,
        f"{info}/METADATA": "\n".join(lines) + "\n\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/INSTALLER": installer + "\n",
        f"{info}/top_level.txt": "\n".join(tops) + "\n",
    }
    record = []
    for path, text in whole.items():
        content = text.encode("latin-1") if path.endswith(".so") else text.encode()
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).unlink(missing_ok=True)  # in a clone it is a hard link
        (site / path).write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record.append(f"{path},sha256={digest},{len(content)}")
    (site / info / "RECORD").write_text("\n".join([*record, f"{info}/RECORD,,"]) + "\n", encoding="utf-8")


def _packages(names: list[str]) -> dict[str, str]:
    """Empty packages for dotted names; the last part is a module."""
    found: dict[str, str] = {}
    for name in names:
        parts = name.split(".")
        for depth in range(1, max(len(parts), 2)):
            found["/".join(parts[:depth]) + "/__init__.py"] = ""
        if len(parts) > 1:
            found["/".join(parts) + ".py"] = ""
    return found


def _content(names: list[str]) -> dict[str, str]:
    tops = {name.partition(".")[0] for name in names}
    return {path: text for path, text in CONTENT.items() if path.partition("/")[0] in tops}
