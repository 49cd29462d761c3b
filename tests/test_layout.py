"""No file imports itself, however long the way round, not even for the sake of a type."""

from graphlib import TopologicalSorter

import grimp


def test_no_two_files_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("prodgen", "workers", "api_gateway", exclude_type_checking_imports=False)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle
