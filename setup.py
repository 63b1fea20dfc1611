"""What casegate installs, and what it needs to run."""

from setuptools import find_packages, setup

# One code base on two lines of TFX; `make` takes the newer where the machine can carry it.
OLDER = [
    f'{requirement}; python_version < "3.11"'
    for requirement in (
        "tfx==1.16.0",
        "tensorflow==2.16.2",
        # Newer Beam resolves on Python 3.10 and then fails to import beside TFX 1.16.
        "apache-beam>=2.60,<2.62",
        "dill==0.3.1.1",
        "numpy>=1.24,<2",
        "scipy>=1.10",
        "setuptools<75",
    )
]
NEWER = [
    f'{requirement}; python_version >= "3.11"'
    for requirement in (
        "tfx==1.21.0",
        "tensorflow==2.21.0",
        # Floors, because the lock file carries what it can over from the older line.
        "apache-beam>=2.77,<2.78",
        "keras>=3.15",
        "numpy>=2",
        "scipy>=1.15",
        "tensorboard>=2.20",
    )
]

setup(
    packages=find_packages(include=["pipeline", "pipeline.*", "components", "components.*"]),
    package_data={
        "pipeline.settings": ["configs/*.yaml"],
        "pipeline.federation": ["flower/*"],
        "pipeline.feedback": ["*.css", "*.j2"],
        "pipeline.governance": ["*.css", "*.j2"],
        "pipeline.serving": ["*/*.j2"],
        "pipeline.site": ["*.css", "*.j2"],
        "pipeline.site.timeline": ["*.css", "*.j2"],
        "pipeline.unattended": ["*/*.j2"],
        "components.pages": ["page.css"],
        "components.card": ["*.css", "*.j2"],
        "components.drift": ["*.css", "*.j2"],
        "components.exports": ["converter/*", "javascript/*"],
        "components.report": ["*.j2", "*.js"],
    },
    install_requires=[
        *OLDER,
        *NEWER,
        "ai-edge-litert>=2.3",
        "click>=8.1",
        "cronsim>=2.6",
        "cyclonedx-python-lib[json-validation]>=8",
        "dicomweb-client>=0.60",
        "dp-accounting>=0.6",
        "filelock>=3.12",
        "flatbuffers>=23.5",
        "grpcio>=1.50",
        "highdicom>=0.28",
        "imagehash>=4.3.2",
        "in-toto-attestation>=0.9.3",
        "jinja2>=3.1",
        "jsonschema>=4.20",
        "openlineage-python>=1.20",
        "orjson>=3.9",
        "pathspec>=1",
        "pillow>=10",
        "prometheus-client>=0.20",
        "prov>=2",
        "psutil>=5.9",
        "psycopg[binary]>=3.2",
        "pyarrow>=10",
        "pydantic>=2.11",
        "pydicom>=3.0.1",
        "pyjpegls>=1.4",
        "pylibjpeg>=2.0",
        "pylibjpeg-openjpeg>=2.3",
        "pylibjpeg-rle>=2.0",
        "pymysql>=1.1",
        "python-gdcm>=3.0.24",
        "pynetdicom>=3.0.4",
        "pyyaml>=6",
        "requests>=2.31",
        "rich>=13",
        "securesystemslib[crypto]>=1.1",
        "simplejpeg>=1.9",
        "sqlalchemy>=2",
        "starlette>=0.40",
        "tensorflow-serving-api>=2.16",
        "uvicorn>=0.30",
    ],
    extras_require={
        # TensorFlow's own libraries for NVIDIA's cards, about 3 GB.
        "gpu": [
            'tensorflow[and-cuda]==2.16.2; python_version < "3.11"',
            'tensorflow[and-cuda]==2.21.0; python_version >= "3.11"',
            "nvidia-ml-py>=12,<14",  # how busy a card is
        ],
    },
    entry_points={
        "console_scripts": [
            "casegate = pipeline.cli:main",
            "casegate-worker = pipeline.run.workers:boot",  # started by Beam runners, not by people
        ]
    },
)
