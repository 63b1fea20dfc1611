"""What casegate installs, and what it needs to run."""

from setuptools import find_packages, setup

setup(
    packages=find_packages(include=["pipeline", "pipeline.*", "components", "components.*"]),
    package_data={
        "pipeline.settings": ["configs/*.yaml"],
        "pipeline.site": ["*.css", "*.j2"],
        "pipeline.site.timeline": ["*.css", "*.j2"],
        "components.pages": ["page.css"],
        "components.card": ["*.css", "*.j2"],
        "components.drift": ["*.css", "*.j2"],
        "components.report": ["*.j2", "*.js"],
    },
    install_requires=[
        "tfx==1.16.0",
        "tensorflow==2.16.2",
        # Newer Beam resolves on Python 3.10 and then fails to import beside TFX 1.16.
        "apache-beam>=2.60,<2.62",
        "dill==0.3.1.1",
        "setuptools<75",
        "click>=8.1",
        "cronsim>=2.6",
        "cyclonedx-python-lib[json-validation]>=8",
        "filelock>=3.12",
        "in-toto-attestation>=0.9.3",
        "jinja2>=3.1",
        "jsonschema>=4.20",
        "numpy>=1.24,<2",
        "openlineage-python>=1.20",
        "orjson>=3.9",
        "pillow>=10",
        "prov>=2",
        "psutil>=5.9",
        "psycopg[binary]>=3.2",
        "pyarrow>=10",
        "pymysql>=1.1",
        "pyyaml>=6",
        "requests>=2.31",
        "rich>=13",
        "scipy>=1.10",
        "securesystemslib[crypto]>=1.1",
        "sqlalchemy>=2",
        "starlette>=0.40",
        "uvicorn>=0.30",
    ],
    entry_points={"console_scripts": ["casegate = pipeline.cli:main"]},
)
