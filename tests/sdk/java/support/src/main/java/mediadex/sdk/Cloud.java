package mediadex.sdk;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** A running `mediadex up`, and the calls that no SDK has. */
public final class Cloud implements AutoCloseable {
    public static final String ACCESS_KEY_ID = "sdk-tests";
    public static final String ACCESS_KEY_SECRET = "sdk-tests-secret";
    public static final String REGION = "us-east-1";
    private static final int START_SECONDS = 60;

    private static Cloud shared;

    private final Process process;
    private final JsonObject ready;
    private final HttpClient http = HttpClient.newHttpClient();
    private String token;

    /** One for all tests of a module; it ends with the process that runs them. */
    public static synchronized Cloud shared() throws Exception {
        if (shared == null) {
            shared = new Cloud();
            Runtime.getRuntime().addShutdownHook(new Thread(shared::close));
        }
        return shared;
    }

    private Cloud() throws Exception {
        Path place = Files.createTempDirectory("mediadex-java-");
        Path log = place.resolve("up.log");
        ProcessBuilder builder =
                new ProcessBuilder(program().toString(), "up", "--ephemeral", "--port", "0", "--json");
        builder.environment().keySet().removeIf(name -> name.startsWith("AWS_") || name.startsWith("MEDIADEX_"));
        builder.environment().put("MEDIADEX_ACCESS_KEY_ID", ACCESS_KEY_ID);
        builder.environment().put("MEDIADEX_ACCESS_KEY_SECRET", ACCESS_KEY_SECRET);
        // What it keeps for the user's other commands is not left with the user's own.
        builder.environment().put("XDG_DATA_HOME", place.resolve("data").toString());
        builder.redirectError(log.toFile());
        process = builder.start();
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        String line;
        try {
            line = CompletableFuture.supplyAsync(() -> {
                try {
                    return lines.readLine();
                } catch (IOException error) {
                    return null;
                }
            }).get(START_SECONDS, TimeUnit.SECONDS);
        } catch (Exception error) {
            process.destroyForcibly();
            throw error;
        }
        if (line == null) {
            throw new IllegalStateException("mediadex did not come up:\n" + Files.readString(log));
        }
        ready = JsonParser.parseString(line).getAsJsonObject();
    }

    /** The program under test: the one that MEDIADEX_BIN names, else what cargo built last. */
    private static Path program() {
        String named = System.getenv("MEDIADEX_BIN");
        if (named != null && !named.isEmpty()) {
            return Path.of(named).toAbsolutePath();
        }
        for (String profile : List.of("debug", "release")) {
            Path built = Path.of(System.getenv("MEDIADEX_ROOT"), "target", profile, "mediadex");
            if (Files.isRegularFile(built)) {
                return built;
            }
        }
        throw new IllegalStateException(
                "build mediadex first (cargo build -p mediadex), or name it in MEDIADEX_BIN");
    }

    /** The address of the API, with its scheme. */
    public String api() {
        return ready.get("api").getAsString();
    }

    /** The API's host and port. */
    public String authority() {
        return URI.create(api()).getAuthority();
    }

    public URI s3() {
        return URI.create(ready.get("s3").getAsString());
    }

    private HttpResponse<String> send(HttpRequest request) throws Exception {
        return http.send(request, HttpResponse.BodyHandlers.ofString());
    }

    private HttpResponse<String> post(String path, String body, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(api() + path))
                .timeout(Duration.ofSeconds(30))
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return send(request.build());
    }

    /** A token of the token call, for the door of ImageSearch and for `/api`. */
    public synchronized String token() throws Exception {
        if (token == null) {
            String body = ("{'auth': {'identity': {'methods': ['password'], 'password': {'user': {'name': '%s',"
                            + " 'password': '%s', 'domain': {'name': 'any'}}}}}}")
                    .formatted(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
                    .replace('\'', '"');
            HttpResponse<String> reply = post("/v3/auth/tokens", body);
            if (reply.statusCode() != 201) {
                throw new IllegalStateException(reply.body());
            }
            token = reply.headers().firstValue("X-Subject-Token").orElseThrow();
        }
        return token;
    }

    /** Calls an operation by way of `/api`; the parameters are JSON with ' for ". */
    public JsonObject call(String operation, String params) throws Exception {
        HttpResponse<String> reply =
                post("/api/" + operation, params.replace('\'', '"'), "authorization", "Bearer " + token());
        if (reply.statusCode() != 200) {
            throw new IllegalStateException(operation + ": " + reply.body());
        }
        return JsonParser.parseString(reply.body()).getAsJsonObject();
    }

    /** A temporary key: its id, its secret and its token. */
    public JsonObject temporaryKey() throws Exception {
        return call("CreateTemporaryKey", "{'AccessKeyId': '" + ACCESS_KEY_ID + "'}").getAsJsonObject("Credentials");
    }

    /** An access key with a policy of one statement, which is JSON with ' for ". */
    public JsonObject accessKey(String statement) throws Exception {
        return call("CreateAccessKey", "{'Policy': {'Version': '1', 'Statement': [" + statement + "]}}")
                .getAsJsonObject("AccessKey");
    }

    /** A bearer token of the tests' own key. */
    public String bearer() throws Exception {
        return call("CreateToken", "{'AccessKeyId': '" + ACCESS_KEY_ID + "'}").get("Token").getAsString();
    }

    /** The status and the text at an address, without a signature of ours. */
    public String get(URI address) throws Exception {
        HttpResponse<String> reply = send(HttpRequest.newBuilder(address).build());
        return reply.statusCode() + " " + reply.body();
    }

    /** The paths of the description of the API. */
    public Set<String> paths() throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(api() + "/openapi.json")).build();
        JsonObject description = JsonParser.parseString(send(request).body()).getAsJsonObject();
        return description.getAsJsonObject("paths").keySet();
    }

    /** A PUT to the object storage with AWS's signature: of a bucket, or of an object in it. */
    public void put(String path, String content) throws Exception {
        String date = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC).format(Instant.now());
        String digest = sha256(content);
        String names = "host;x-amz-content-sha256;x-amz-date";
        String canonical = "PUT\n%s\n\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\n\n%s\n%s"
                .formatted(path, s3().getAuthority(), digest, date, names, digest);
        String scope = date.substring(0, 8) + "/" + REGION + "/s3/aws4_request";
        byte[] key = ("AWS4" + ACCESS_KEY_SECRET).getBytes(StandardCharsets.UTF_8);
        for (String part : scope.split("/")) {
            key = hmac(key, part);
        }
        String signature = HexFormat.of()
                .formatHex(hmac(key, "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + sha256(canonical)));
        HttpRequest request = HttpRequest.newBuilder(s3().resolve(path))
                .header("x-amz-content-sha256", digest)
                .header("x-amz-date", date)
                .header(
                        "authorization",
                        "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s"
                                .formatted(ACCESS_KEY_ID, scope, names, signature))
                .PUT(HttpRequest.BodyPublishers.ofString(content))
                .build();
        HttpResponse<String> reply = send(request);
        if (reply.statusCode() != 200) {
            throw new IllegalStateException(reply.body());
        }
    }

    private static String sha256(String text) throws Exception {
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().formatHex(digest);
    }

    private static byte[] hmac(byte[] key, String text) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    /** A name that nothing else has. */
    public static String unique(String stem) {
        return stem + "-" + UUID.randomUUID().toString().substring(0, 8);
    }

    /** Asks until the answer is true. */
    public static void eventually(Callable<Boolean> probe) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!probe.call()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not so after 20 s");
            }
            Thread.sleep(50);
        }
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException error) {
            process.destroyForcibly();
        }
    }
}
