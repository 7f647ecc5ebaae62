"""Prints each field of KServe documents that its types do not have; .venv-deploy's Python runs this.

A cluster ignores a field in the wrong place silently. KServe's package has no schemas, but types that name their
fields.
"""

import re
import sys

import kserve
import yaml
from kubernetes.client import models

KINDS = {"InferenceService": "V1beta1InferenceService", "ServingRuntime": "V1alpha1ServingRuntime"}


def unknown(value: object, type_name: str, path: str) -> list[str]:
    """The fields below a value that its type does not have."""
    if listed := re.fullmatch(r"list\[(.+)\]", type_name):
        return [each for i, item in enumerate(value) for each in unknown(item, listed[1], f"{path}[{i}]")]
    kind = getattr(kserve, type_name, None) or getattr(models, type_name, None)
    if not hasattr(kind, "openapi_types"):
        return []
    names = {written: own for own, written in kind.attribute_map.items()}
    found = []
    for name, inner in value.items():
        if name in names:
            found += unknown(inner, kind.openapi_types[names[name]], f"{path}.{name}")
        else:
            found.append(f"{path}.{name}")
    return found


if __name__ == "__main__":
    documents = [each for each in yaml.safe_load_all(sys.stdin) if each["kind"] in KINDS]
    print(f"{len(documents)} documents")
    for each in documents:
        print(*unknown(each, KINDS[each["kind"]], each["kind"]), sep="\n", end="")
