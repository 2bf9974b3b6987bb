"""What the older versions of the SDK have in common."""

from alibabacloud_imm20200930 import models

from .cloud import eventually
from .media import png
from .space import Space, where


def check_binding_and_queries(space: Space) -> None:
    """Bind, scan, follow, page, delete: all that every version has."""
    for index in range(25):
        space.put(f"{index:02}.png", png(index + 1, 1))
    space.bind()
    space.put("new.png", png(100, 1))
    eventually(lambda: space.keys(where("ImageWidth", "gt", "99")) == ["new.png"])
    names, token = [], ""
    while True:
        page = space.query(max_results=10, sort="ImageWidth", order="asc", next_token=token)
        names += [file.filename for file in page.files]
        token = page.next_token
        if not token:
            break
    assert names == [f"{index:02}.png" for index in range(25)] + ["new.png"]
    uri = space.uri("00.png")
    got = space.imm.get_file_meta(models.GetFileMetaRequest(uri=uri, **space.names)).body.files
    assert [file.image_width for file in got] == [1]
    space.imm.delete_file_meta(models.DeleteFileMetaRequest(uri=uri, **space.names))
    assert space.count() == 25
    bindings = space.imm.list_bindings(models.ListBindingsRequest(**space.names)).body.bindings
    assert [binding.uri for binding in bindings] == [space.bucket_uri]


def check_resources(space: Space) -> None:
    """Projects and datasets."""
    imm = space.imm
    imm.update_project(models.UpdateProjectRequest(project_name=space.project, description="new"))
    project = imm.get_project(models.GetProjectRequest(project_name=space.project)).body.project
    assert project.description == "new"
    listed = imm.list_projects(models.ListProjectsRequest(prefix=space.project)).body.projects
    assert [project.project_name for project in listed] == [space.project]
    imm.update_dataset(models.UpdateDatasetRequest(description="changed", **space.names))
    listed = imm.list_datasets(models.ListDatasetsRequest(project_name=space.project)).body.datasets
    assert [(dataset.dataset_name, dataset.description) for dataset in listed] == [(space.dataset, "changed")]
    imm.delete_dataset(models.DeleteDatasetRequest(**space.names))
    imm.delete_project(models.DeleteProjectRequest(project_name=space.project))


def check_error(space: Space) -> None:
    """What this version makes of an error."""
    try:
        space.imm.get_dataset(models.GetDatasetRequest(project_name=space.project, dataset_name="nowhere"))
    except Exception as error:
        assert error.code == "ResourceNotFound"
        assert "nowhere" in error.message
        assert len(error.data["RequestId"]) == 36
    else:
        raise AssertionError("no error")


def check_message(message: dict, space: Space, files: dict) -> None:
    """A completion message about files with a label `category`."""
    assert message["ProjectName"] == space.project
    assert message["DatasetName"] == space.dataset
    assert message["Success"] is True
    expected = [
        {"URI": space.uri(name), "CustomLabels": {"category": label}, "Error": ""} for name, label in files.items()
    ]
    assert message["Files"] == expected
