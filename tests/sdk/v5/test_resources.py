"""Projects, datasets and bindings, from their making to their end."""

import pytest
from alibabacloud_imm20200930 import models
from support.cloud import eventually, unique
from support.media import png


def code_of(call) -> str:
    """The error code that a call fails with."""
    with pytest.raises(Exception) as caught:
        call()
    return caught.value.code


def test_project(cloud):
    imm, name = cloud.imm(), unique("life")
    created = imm.create_project(
        models.CreateProjectRequest(
            project_name=name,
            description="first",
            dataset_max_bind_count=3,
            tag=[models.CreateProjectRequestTag(key="team", value="a")],
        )
    ).body
    assert len(created.request_id) == 36
    assert created.project.project_name == name
    assert created.project.create_time == created.project.update_time
    assert (created.project.description, created.project.dataset_max_bind_count) == ("first", 3)
    assert code_of(lambda: imm.create_project(models.CreateProjectRequest(project_name=name))) == "ResourceAlreadyExists"
    updated = imm.update_project(models.UpdateProjectRequest(project_name=name, description="second")).body.project
    assert (updated.description, updated.dataset_max_bind_count) == ("second", 3)
    assert updated.update_time > updated.create_time
    got = imm.get_project(models.GetProjectRequest(project_name=name, with_statistics=True)).body.project
    assert (got.description, got.file_count, got.total_file_size) == ("second", 0, 0)
    assert [(tag.tag_key, tag.tag_value) for tag in got.tags] == [("team", "a")]
    imm.create_dataset(models.CreateDatasetRequest(project_name=name, dataset_name="inside"))
    assert code_of(lambda: imm.delete_project(models.DeleteProjectRequest(project_name=name))) == "ResourceNotEmpty"
    imm.delete_dataset(models.DeleteDatasetRequest(project_name=name, dataset_name="inside"))
    imm.delete_project(models.DeleteProjectRequest(project_name=name))
    assert code_of(lambda: imm.get_project(models.GetProjectRequest(project_name=name))) == "ResourceNotFound"


def test_an_empty_description_clears_it(cloud):
    imm, name = cloud.imm(), unique("clear")
    imm.create_project(models.CreateProjectRequest(project_name=name, description="words"))
    imm.update_project(models.UpdateProjectRequest(project_name=name, description=""))
    assert not imm.get_project(models.GetProjectRequest(project_name=name)).body.project.description


def pages(call, items, **request):
    """The sizes of all pages, and everything in them."""
    sizes, found, token = [], [], ""
    while True:
        body = call(token)
        page = items(body) or []
        sizes.append(len(page))
        found += page
        token = body.next_token
        if not token:
            return sizes, found


def test_lists_are_paged(cloud):
    imm, stem = cloud.imm(), unique("list")
    names = [f"{stem}-{index}" for index in range(5)]
    for name in reversed(names):
        imm.create_project(models.CreateProjectRequest(project_name=name))
    for name in names:
        imm.create_dataset(models.CreateDatasetRequest(project_name=names[0], dataset_name=name))
    sizes, projects = pages(
        lambda token: imm.list_projects(
            models.ListProjectsRequest(prefix=stem, max_results=2, next_token=token)
        ).body,
        lambda body: body.projects,
    )
    assert (sizes, [project.project_name for project in projects]) == ([2, 2, 1], names)
    sizes, datasets = pages(
        lambda token: imm.list_datasets(
            models.ListDatasetsRequest(project_name=names[0], max_results=2, next_token=token)
        ).body,
        lambda body: body.datasets,
    )
    assert (sizes, [dataset.dataset_name for dataset in datasets]) == ([2, 2, 1], names)


def test_dataset(space):
    imm = space.imm
    request = models.CreateDatasetRequest(
        project_name=space.project, dataset_name="second", description="d", dataset_max_file_count=5
    )
    created = imm.create_dataset(request).body.dataset
    assert (created.dataset_name, created.description, created.dataset_max_file_count) == ("second", "d", 5)
    assert code_of(lambda: imm.create_dataset(request)) == "ResourceAlreadyExists"
    names = {"project_name": space.project, "dataset_name": "second"}
    updated = imm.update_dataset(models.UpdateDatasetRequest(description="e", dataset_max_file_count=6, **names))
    assert (updated.body.dataset.description, updated.body.dataset.dataset_max_file_count) == ("e", 6)
    got = imm.get_dataset(models.GetDatasetRequest(**names)).body.dataset
    assert (got.description, got.dataset_max_file_count) == ("e", 6)
    imm.delete_dataset(models.DeleteDatasetRequest(**names))
    assert code_of(lambda: imm.get_dataset(models.GetDatasetRequest(**names))) == "ResourceNotFound"


def test_the_limit_of_datasets_holds(cloud):
    imm, name = cloud.imm(), unique("few")
    imm.create_project(models.CreateProjectRequest(project_name=name, project_max_dataset_count=1))
    imm.create_dataset(models.CreateDatasetRequest(project_name=name, dataset_name="one"))
    request = models.CreateDatasetRequest(project_name=name, dataset_name="two")
    assert code_of(lambda: imm.create_dataset(request)) == "LimitExceededError"


def test_the_limit_of_files_holds_exactly(space):
    space.imm.update_dataset(models.UpdateDatasetRequest(dataset_max_file_count=3, **space.names))
    for index in range(5):
        space.put(f"{index}.txt", b"12345")
    space.bind()
    assert len(space.keys()) == 3
    statistics = space.statistics()
    assert (statistics.file_count, statistics.total_file_size) == (3, 15)
    assert "2 object(s)" in space.binding().reason


def test_binding(space):
    imm = space.imm
    uri = space.put("a.png", png(2, 2))
    space.bind()
    request = models.CreateBindingRequest(uri=space.bucket_uri, **space.names)
    assert code_of(lambda: imm.create_binding(request)) == "ResourceAlreadyExists"
    listed = imm.list_bindings(models.ListBindingsRequest(**space.names)).body.bindings
    assert [binding.uri for binding in listed] == [space.bucket_uri]
    names = space.names
    assert code_of(lambda: imm.delete_dataset(models.DeleteDatasetRequest(**names))) == "ResourceNotEmpty"
    imm.delete_binding(models.DeleteBindingRequest(uri=space.bucket_uri, **names))
    assert code_of(space.binding) == "ResourceNotFound"
    # What was indexed stays; what comes later is not followed.
    space.put("b.png", png(2, 2))
    assert space.keys() == ["a.png"]
    imm.delete_file_meta(models.DeleteFileMetaRequest(uri=uri, **names))
    imm.delete_dataset(models.DeleteDatasetRequest(**names))


def test_the_limit_of_bindings_holds(cloud, space):
    space.imm.update_dataset(models.UpdateDatasetRequest(dataset_max_bind_count=1, **space.names))
    space.bind()
    other = unique("other-bucket")
    space.s3.create_bucket(Bucket=other)
    request = models.CreateBindingRequest(uri=f"oss://{other}", **space.names)
    assert code_of(lambda: space.imm.create_binding(request)) == "LimitExceededError"


def test_a_bucket_that_is_not_there(space):
    request = models.CreateBindingRequest(uri="oss://no-such-bucket-anywhere", **space.names)
    assert code_of(lambda: space.imm.create_binding(request)) == "ResourceNotFound"


def test_two_datasets_follow_one_bucket(space):
    space.bind()
    second = {"project_name": space.project, "dataset_name": "second"}
    space.imm.create_dataset(models.CreateDatasetRequest(**second))
    space.imm.create_binding(models.CreateBindingRequest(uri=space.bucket_uri, **second))
    space.put("both.txt")
    eventually(lambda: space.keys() == ["both.txt"])
    eventually(lambda: space.imm.simple_query(models.SimpleQueryRequest(**second)).body.total_hits == 1)
    # The other scheme names the same bucket.
    got = space.imm.get_binding(models.GetBindingRequest(uri=f"s3://{space.bucket}", **second)).body.binding
    assert got.uri == space.bucket_uri
