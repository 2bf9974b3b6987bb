package mediadex.sdk;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.aliyun.imm20200930.models.*;
import com.aliyun.tea.TeaException;
import com.aliyun.teaopenapi.models.Config;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** com.aliyun:imm20200930 4.4.0: every call that it shares with mediadex. */
class ImmTest {
    // What signatures go wrong over: blanks, marks that are encoded or not, text that is not ASCII.
    private static final String ODD = "a*b + ?'()! ~%2F=&é北京";

    private static Cloud cloud;
    private static Imm imm;

    @BeforeAll
    static void start() throws Exception {
        cloud = Cloud.shared();
        imm = Imm.of(cloud);
    }

    /** What mediadex has of IMM was all called, and answered at least once. */
    @AfterAll
    static void everyOperationWasAnswered() throws Exception {
        TreeSet<String> missing = new TreeSet<>();
        for (String path : cloud.paths()) {
            // The operations of keys and tokens are RAM's and STS's, not of this SDK.
            if (!path.matches("/api/.*(AccessKey|AccessKeys|TemporaryKey|CreateToken)")) {
                missing.add(path.substring("/api/".length()));
            }
        }
        assertEquals(30, missing.size(), missing.toString());
        missing.removeAll(Imm.ANSWERED);
        assertEquals(new TreeSet<>(), missing);
    }

    /** A project with a dataset, and a bucket. */
    private record Space(String project, String bucket) {
        static Space make(String stem) throws Exception {
            Space space = new Space(Cloud.unique(stem), Cloud.unique(stem));
            imm.createProject(new CreateProjectRequest().setProjectName(space.project));
            imm.createDataset(new CreateDatasetRequest().setProjectName(space.project).setDatasetName("files"));
            cloud.put("/" + space.bucket, "");
            return space;
        }

        String put(String key, String content) throws Exception {
            cloud.put("/" + bucket + "/" + key, content);
            return uri(key);
        }

        String uri(String key) {
            return "oss://" + bucket + "/" + key;
        }

        String bucketUri() {
            return "oss://" + bucket;
        }

        void bind() throws Exception {
            imm.createBinding(new CreateBindingRequest()
                    .setProjectName(project)
                    .setDatasetName("files")
                    .setURI(bucketUri()));
            Cloud.eventually(() -> binding().getPhase().equals("IncrementalScanning"));
        }

        Binding binding() throws Exception {
            return imm.getBinding(new GetBindingRequest()
                            .setProjectName(project)
                            .setDatasetName("files")
                            .setURI(bucketUri()))
                    .getBody()
                    .getBinding();
        }

        SimpleQueryRequest query() {
            return new SimpleQueryRequest().setProjectName(project).setDatasetName("files");
        }

        List<String> names() throws Exception {
            List<File> files = imm.simpleQuery(query()).getBody().getFiles();
            return files == null ? List.of() : files.stream().map(File::getFilename).toList();
        }

        File file(String key) throws Exception {
            GetFileMetaRequest request =
                    new GetFileMetaRequest().setProjectName(project).setDatasetName("files").setURI(uri(key));
            return imm.getFileMeta(request).getBody().getFiles().get(0);
        }
    }

    private static SimpleQuery where(String field, String operation, String value) {
        return new SimpleQuery().setField(field).setOperation(operation).setValue(value);
    }

    @Test
    void projects() throws Exception {
        String name = Cloud.unique("java");
        Project made = imm.createProject(new CreateProjectRequest()
                        .setProjectName(name)
                        .setDescription(ODD)
                        .setProjectMaxDatasetCount(3L))
                .getBody()
                .getProject();
        assertEquals(ODD, made.getDescription());
        assertEquals(3L, made.getProjectMaxDatasetCount());
        Project changed = imm.updateProject(
                        new UpdateProjectRequest().setProjectName(name).setDescription("other"))
                .getBody()
                .getProject();
        assertEquals("other", changed.getDescription());
        GetProjectRequest get = new GetProjectRequest().setProjectName(name).setWithStatistics(true);
        assertEquals(0L, imm.getProject(get).getBody().getProject().getFileCount());
        List<String> listed = imm
                .listProjects(new ListProjectsRequest().setPrefix(name).setMaxResults(10L))
                .getBody()
                .getProjects()
                .stream()
                .map(Project::getProjectName)
                .toList();
        assertEquals(List.of(name), listed);
        imm.deleteProject(new DeleteProjectRequest().setProjectName(name));
        Imm.refusal(() -> imm.getProject(get), 404, "ResourceNotFound");
    }

    @Test
    void datasets() throws Exception {
        Space space = Space.make("datasets");
        Dataset changed = imm.updateDataset(new UpdateDatasetRequest()
                        .setProjectName(space.project)
                        .setDatasetName("files")
                        .setDescription(ODD)
                        .setDatasetMaxFileCount(7L))
                .getBody()
                .getDataset();
        assertEquals(ODD, changed.getDescription());
        Dataset got = imm.getDataset(new GetDatasetRequest()
                        .setProjectName(space.project)
                        .setDatasetName("files")
                        .setWithStatistics(true))
                .getBody()
                .getDataset();
        assertEquals(List.of(7L, 0L), List.of(got.getDatasetMaxFileCount(), got.getFileCount()));
        List<Dataset> listed = imm
                .listDatasets(new ListDatasetsRequest().setProjectName(space.project))
                .getBody()
                .getDatasets();
        assertEquals(List.of("files"), listed.stream().map(Dataset::getDatasetName).toList());
        imm.deleteDataset(new DeleteDatasetRequest().setProjectName(space.project).setDatasetName("files"));
    }

    @Test
    void bindings() throws Exception {
        Space space = Space.make("bindings");
        space.put("one.txt", "one");
        space.bind();
        assertEquals(List.of("one.txt"), space.names());
        ListBindingsResponseBody listed = imm
                .listBindings(new ListBindingsRequest().setProjectName(space.project).setDatasetName("files"))
                .getBody();
        assertEquals(space.bucketUri(), listed.getBindings().get(0).getURI());
        Map<String, String> names = Map.of(
                "ProjectName", space.project, "DatasetName", "files", "URI", space.bucketUri());
        imm.call("StopBinding", names);
        assertEquals("Stopped", space.binding().getState());
        imm.call("ResumeBinding", names);
        Cloud.eventually(() -> space.binding().getState().equals("Running")
                && space.binding().getPhase().equals("IncrementalScanning"));
        imm.deleteBinding(new DeleteBindingRequest()
                .setProjectName(space.project)
                .setDatasetName("files")
                .setURI(space.bucketUri()));
        Imm.refusal(space::binding, 404, "ResourceNotFound");
    }

    @Test
    void filesAreIndexedChangedAndDeleted() throws Exception {
        Space space = Space.make("files");
        List<InputFile> files = new ArrayList<>();
        for (String key : List.of("a.txt", "b.txt", "c.txt")) {
            files.add(new InputFile()
                    .setURI(space.put(key, key))
                    .setCustomId(key)
                    .setCustomLabels(Map.of("odd", ODD)));
        }
        IndexFileMetaResponseBody indexed = imm
                .indexFileMeta(new IndexFileMetaRequest()
                        .setProjectName(space.project)
                        .setDatasetName("files")
                        .setFile(files.get(0)))
                .getBody();
        imm.batchIndexFileMeta(new BatchIndexFileMetaRequest()
                .setProjectName(space.project)
                .setDatasetName("files")
                .setFiles(files.subList(1, 3)));
        Cloud.eventually(() -> space.names().equals(List.of("a.txt", "b.txt", "c.txt")));

        File file = space.file("a.txt");
        assertEquals(List.of("a.txt", 5L, "text/plain"), List.of(file.getCustomId(), file.getSize(), file.getContentType()));
        assertEquals(Map.of("odd", ODD), file.getCustomLabels());
        assertTrue(file.getETag() != null && file.getObjectId().length() == 64);
        BatchGetFileMetaResponseBody batch = imm
                .batchGetFileMeta(new BatchGetFileMetaRequest()
                        .setProjectName(space.project)
                        .setDatasetName("files")
                        .setURIs(List.of(space.uri("c.txt"), space.uri("none"), space.uri("a.txt"))))
                .getBody();
        assertEquals(
                List.of("c.txt", "a.txt"), batch.getFiles().stream().map(File::getFilename).toList());

        imm.updateFileMeta(new UpdateFileMetaRequest()
                .setProjectName(space.project)
                .setDatasetName("files")
                .setFile(new InputFile().setURI(space.uri("a.txt")).setCustomId("new").setLatLong("48.85,2.35")));
        assertEquals("new", space.file("a.txt").getCustomId());
        List<BatchUpdateFileMetaResponseBody.BatchUpdateFileMetaResponseBodyFiles> updated = imm
                .batchUpdateFileMeta(new BatchUpdateFileMetaRequest()
                        .setProjectName(space.project)
                        .setDatasetName("files")
                        .setFiles(List.of(
                                new InputFile().setURI(space.uri("b.txt")).setCustomId("x"),
                                new InputFile().setURI(space.uri("none")).setCustomId("y"))))
                .getBody()
                .getFiles();
        assertEquals(List.of(true, false), updated.stream().map(one -> one.success).toList());

        GetTaskRequest get = new GetTaskRequest()
                .setProjectName(space.project)
                .setTaskType("IndexFileMeta")
                .setTaskId(indexed.getEventId())
                .setRequestDefinition(true);
        GetTaskResponseBody task = imm.getTask(get).getBody();
        assertEquals(List.of("Succeeded", 100), List.of(task.getStatus(), task.getProgress()));
        assertTrue(task.getTaskRequestDefinition().contains("a.txt"));
        ListTasksResponseBody tasks = imm
                .listTasks(new ListTasksRequest()
                        .setProjectName(space.project)
                        .setTaskTypes(List.of("IndexFileMeta", "BatchIndexFileMeta")))
                .getBody();
        assertEquals(2, tasks.getTasks().size());

        imm.deleteFileMeta(new DeleteFileMetaRequest()
                .setProjectName(space.project)
                .setDatasetName("files")
                .setURI(space.uri("a.txt")));
        imm.batchDeleteFileMeta(new BatchDeleteFileMetaRequest()
                .setProjectName(space.project)
                .setDatasetName("files")
                .setURIs(List.of(space.uri("b.txt"))));
        assertEquals(List.of("c.txt"), space.names());
    }

    @Test
    void queries() throws Exception {
        Space space = Space.make("queries");
        space.put("sunset.txt", "one");
        space.put("dawn.txt", "sunset too");
        space.put("third.txt", "333");
        space.bind();
        SimpleQuery query = new SimpleQuery()
                .setOperation("and")
                .setSubQueries(List.of(where("Size", "gte", "1"), where("Filename", "prefix", "s")));
        SimpleQueryResponseBody found = imm
                .simpleQuery(space.query().setQuery(query).setSort("Size").setOrder("desc"))
                .getBody();
        assertEquals(List.of("sunset.txt"), found.getFiles().stream().map(File::getFilename).toList());
        assertEquals(1L, found.getTotalHits());
        SimpleQueryResponseBody sums = imm
                .simpleQuery(space.query()
                        .setMaxResults(0)
                        .setAggregations(List.of(
                                new SimpleQueryRequest.SimpleQueryRequestAggregations()
                                        .setField("Size")
                                        .setOperation("sum"),
                                new SimpleQueryRequest.SimpleQueryRequestAggregations()
                                        .setField("MediaType")
                                        .setOperation("group"))))
                .getBody();
        assertEquals(16.0, sums.getAggregations().get(0).getValue(), 0.001);
        assertEquals(3L, sums.getAggregations().get(1).getGroups().get(0).getCount());
        // Page by page.
        List<String> names = new ArrayList<>();
        String next = null;
        do {
            SimpleQueryResponseBody page = imm
                    .simpleQuery(space.query().setMaxResults(1).setNextToken(next))
                    .getBody();
            page.getFiles().forEach(file -> names.add(file.getFilename()));
            next = page.getNextToken();
        } while (next != null && !next.isEmpty());
        assertEquals(List.of("dawn.txt", "sunset.txt", "third.txt"), names);

        FuzzyQueryResponseBody fuzzy = imm
                .fuzzyQuery(new FuzzyQueryRequest()
                        .setProjectName(space.project)
                        .setDatasetName("files")
                        .setQuery("sunset"))
                .getBody();
        assertEquals(List.of("sunset.txt"), fuzzy.getFiles().stream().map(File::getFilename).toList());
        SemanticQueryResponseBody semantic = imm
                .semanticQuery(new SemanticQueryRequest()
                        .setProjectName(space.project)
                        .setDatasetName("files")
                        .setQuery("sunset")
                        .setMediaTypes(List.of("document", "other")))
                .getBody();
        assertFalse(semantic.getFiles() != null && semantic.getFiles().size() > 3);
        cloud.put("/" + space.bucket + "/letter.html", "<p>Dear all &amp; you</p>");
        ExtractDocumentTextResponseBody text = imm
                .extractDocumentText(new ExtractDocumentTextRequest()
                        .setProjectName(space.project)
                        .setSourceURI("oss://" + space.bucket + "/letter.html"))
                .getBody();
        assertEquals("Dear all & you", text.getDocumentText().strip());
    }

    @ParameterizedTest
    @ValueSource(strings = {"ACS3-HMAC-SHA256", "v2"})
    void eachKindOfCredentialsIsLetIn(String algorithm) throws Exception {
        var temporary = cloud.temporaryKey();
        String id = temporary.get("AccessKeyId").getAsString();
        String secret = temporary.get("AccessKeySecret").getAsString();
        String token = temporary.get("SecurityToken").getAsString();
        var bearer = new com.aliyun.credentials.models.Config().setType("bearer").setBearerToken(cloud.bearer());
        List<Config> configs = new ArrayList<>(List.of(
                Imm.config(cloud, Cloud.ACCESS_KEY_ID, Cloud.ACCESS_KEY_SECRET),
                Imm.config(cloud, id, secret).setSecurityToken(token)));
        // The SDK has no bearer tokens with the older signature.
        if (!algorithm.equals("v2")) {
            configs.add(Imm.config(cloud).setCredential(new com.aliyun.credentials.Client(bearer)));
        }
        for (Config config : configs) {
            Imm client = new Imm(config.setSignatureAlgorithm(algorithm));
            String name = Cloud.unique("door");
            client.createProject(new CreateProjectRequest().setProjectName(name).setDescription(ODD));
            GetProjectRequest get = new GetProjectRequest().setProjectName(name);
            assertEquals(ODD, client.getProject(get).getBody().getProject().getDescription());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"ACS3-HMAC-SHA256", "v2"})
    void wrongCredentialsAreRefusedEachWithItsCode(String algorithm) throws Exception {
        var temporary = cloud.temporaryKey();
        String id = temporary.get("AccessKeyId").getAsString();
        String secret = temporary.get("AccessKeySecret").getAsString();
        Map<Config, Map.Entry<Integer, String>> table = Map.of(
                Imm.config(cloud, Cloud.ACCESS_KEY_ID, "wrong"),
                Map.entry(400, "SignatureDoesNotMatch"),
                Imm.config(cloud, "nobody", "wrong"),
                Map.entry(404, "InvalidAccessKeyId.NotFound"),
                Imm.config(cloud, id, secret),
                Map.entry(400, "MissingSecurityToken"),
                Imm.config(cloud, id, secret).setSecurityToken("other"),
                Map.entry(400, "InvalidSecurityToken.MismatchWithAccessKey"));
        for (var row : table.entrySet()) {
            Imm client = new Imm(row.getKey().setSignatureAlgorithm(algorithm));
            GetProjectRequest get = new GetProjectRequest().setProjectName("any");
            Imm.refusal(
                    () -> client.getProject(get), row.getValue().getKey(), row.getValue().getValue());
        }
    }

    @Test
    void whatAPolicyDoesNotAllowIsRefused() throws Exception {
        var key = cloud.accessKey("{'Effect': 'Allow', 'Action': 'imm:List*', 'Resource': '*'}");
        Imm client = new Imm(Imm.config(
                cloud, key.get("AccessKeyId").getAsString(), key.get("AccessKeySecret").getAsString()));
        client.listProjects(new ListProjectsRequest());
        TeaException error = Imm.refusal(
                () -> client.createProject(new CreateProjectRequest().setProjectName("never")), 403, "NoPermission");
        assertTrue(error.getMessage().contains("imm:CreateProject"), error.getMessage());
        assertEquals("imm:CreateProject", error.getAccessDeniedDetail().get("AuthAction"));
    }

    @Test
    void whatIsWrongWithARequestIsSaid() throws Exception {
        Space space = Space.make("errors");
        GetProjectRequest nothing = new GetProjectRequest();
        Imm.refusal(() -> imm.getProject(nothing), 400, "MissingProjectName");
        Imm.refusal(
                () -> imm.createProject(new CreateProjectRequest().setProjectName("1st")),
                400,
                "InvalidProjectName");
        Imm.refusal(
                () -> imm.createProject(new CreateProjectRequest().setProjectName(space.project)),
                409,
                "ResourceAlreadyExists");
        Imm.refusal(() -> imm.simpleQuery(space.query().setQuery(where("Nonsense", "eq", "1"))), 400, "InvalidArgument");
        Imm.refusal(() -> imm.simpleQuery(space.query().setDatasetName("none")), 404, "ResourceNotFound");
    }

    /** The SDK neither retries nor shows a header that says when to come again. */
    @Test
    void aPlainLoopOfOneThreadIsNotRefused() throws Exception {
        Space space = Space.make("loop");
        GetProjectRequest get = new GetProjectRequest().setProjectName(space.project);
        for (int index = 0; index < 400; index++) {
            imm.getProject(get);
        }
    }

    @Test
    void whyABindingWasStoppedIsInTheMemberThatTheModelHas() throws Exception {
        Space space = Space.make("detail");
        space.bind();
        imm.call(
                "StopBinding",
                Map.of(
                        "ProjectName", space.project,
                        "DatasetName", "files",
                        "URI", space.bucketUri(),
                        "Reason", "a pause"));
        assertEquals("a pause", space.binding().getDetail());
    }

    @Test
    void aBodyThatIsTooLargeIsToldInTheApisOwnShape() throws Exception {
        Space space = Space.make("large");
        String label = "l".repeat(100_000);
        List<InputFile> files = new ArrayList<>();
        for (int index = 0; index < 100; index++) {
            files.add(new InputFile().setURI(space.uri("f" + index)).setCustomLabels(Map.of("label", label)));
        }
        // The SDK writes parameters into the address, and a form into the body.
        String text = new com.google.gson.Gson().toJson(files);
        Imm.refusal(
                () -> imm.form(
                        "BatchIndexFileMeta",
                        Map.of("ProjectName", space.project, "DatasetName", "files", "Files", text)),
                413,
                "RequestTooLarge");
    }

    static List<String> operationsThatAreNotThere() throws Exception {
        TreeSet<String> operations = new TreeSet<>();
        for (var method : com.aliyun.imm20200930.Client.class.getDeclaredMethods()) {
            String name = method.getName();
            if (method.getParameterCount() == 1 && method.getReturnType().getSimpleName().endsWith("Response")) {
                operations.add(name.substring(0, 1).toUpperCase() + name.substring(1));
            }
        }
        for (String path : Cloud.shared().paths()) {
            operations.remove(path.substring("/api/".length()));
        }
        return List.copyOf(operations);
    }

    /** They do not look like misspelt actions, which have an error of their own. */
    @Test
    void anOperationThatIsNotThereIsNamed() throws Exception {
        assertTrue(operationsThatAreNotThere().size() > 60);
        for (String operation : operationsThatAreNotThere()) {
            TeaException error = Imm.refusal(() -> imm.call(operation, Map.of()), 400, "OperationNotSupported");
            assertTrue(error.getMessage().contains(operation), error.getMessage());
        }
        Imm.refusal(() -> imm.call("MakeCoffee", Map.of()), 404, "InvalidAction.NotFound");
    }
}
