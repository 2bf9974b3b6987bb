"""The asynchronous client, which writes its requests in another way."""

import asyncio

from alibabacloud_imm20200930 import models
from alibabacloud_tea_util import models as util_models
from support.cloud import eventually, unique
from support.space import where

ODD = "a*b/c?d'(e)!~+%20 北京.txt"


def test_a_dataset_from_start_to_end(cloud):
    name, bucket = unique("async"), unique("async")
    imm, s3, runtime = cloud.imm(), cloud.s3(), util_models.RuntimeOptions()
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=ODD, Body=b"odd")
    names = {"project_name": name, "dataset_name": "d"}

    async def whole():
        await imm.create_project_with_options_async(
            models.CreateProjectRequest(project_name=name, description="a*b ?'()! ~é"), runtime
        )
        await imm.create_dataset_with_options_async(models.CreateDatasetRequest(**names), runtime)
        await imm.create_binding_async(models.CreateBindingRequest(uri=f"oss://{bucket}", **names))
        binding = None
        while binding != "IncrementalScanning":
            await asyncio.sleep(0.05)
            reply = await imm.get_binding_async(models.GetBindingRequest(uri=f"oss://{bucket}", **names))
            binding = reply.body.binding.phase
        query = models.SimpleQueryRequest(query=where("Filename", "eq", ODD), **names)
        replies = await asyncio.gather(*(imm.simple_query_async(query) for _ in range(8)))
        project = await imm.get_project_async(models.GetProjectRequest(project_name=name))
        return project.body.project, [reply.body for reply in replies]

    project, replies = asyncio.run(asyncio.wait_for(whole(), timeout=60))
    assert project.description == "a*b ?'()! ~é"
    assert [[file.filename for file in reply.files] for reply in replies] == [[ODD]] * 8
    assert len({reply.request_id for reply in replies}) == 8


def test_an_index_call_and_its_errors(space):
    uri = space.put(ODD)
    file = models.InputFile(uri=uri, custom_labels={"who's": "*(!)"})

    async def index():
        await space.imm.index_file_meta_async(models.IndexFileMetaRequest(file=file, **space.names))
        try:
            await space.imm.get_dataset_async(
                models.GetDatasetRequest(project_name=space.project, dataset_name="nowhere")
            )
        except Exception as error:
            return error.code

    assert asyncio.run(index()) == "ResourceNotFound"
    eventually(lambda: space.keys(where("CustomLabels.who's", "eq", "*(!)")) == [ODD])
