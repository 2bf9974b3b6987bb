package mediadex.sdk;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.async.AsyncResponseTransformer;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.Delete;
import software.amazon.awssdk.services.s3.model.DeleteObjectsResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.ObjectAttributes;
import software.amazon.awssdk.services.s3.model.ObjectIdentifier;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;
import software.amazon.awssdk.transfer.s3.S3TransferManager;

/** AWS's SDK for Java, version 2, with its transfer manager and its multipart client. */
class S3Test {
    private static final int MEGABYTE = 1024 * 1024;
    /** By hand, MEDIADEX_TOOLS_LARGE=200000000. */
    private static final int LARGE =
            Integer.parseInt(System.getenv().getOrDefault("MEDIADEX_TOOLS_LARGE", "20000000"));
    private static final List<String> ODD_KEYS = List.of(
            "two words.txt",
            " leading and trailing ",
            "plus+plus.txt",
            "percent%20.txt",
            "hash#?&=.txt",
            "quote'\"\\.txt",
            "<xml>&amp;.txt",
            "北京/照片 1.txt",
            "émoji 🎉/🦀.txt",
            "e\u0301 decomposed.txt",
            ".dot/.file",
            "~tilde!*().txt",
            "k".repeat(255) + "/" + "k".repeat(255));

    private static Cloud cloud;
    private static S3Client s3;
    private static S3AsyncClient multipart;
    private static S3TransferManager transfers;

    private static StaticCredentialsProvider credentials(String secret) {
        return StaticCredentialsProvider.create(AwsBasicCredentials.create(Cloud.ACCESS_KEY_ID, secret));
    }

    private static S3Client client(String secret) {
        return S3Client.builder()
                .endpointOverride(cloud.s3())
                .region(Region.of(Cloud.REGION))
                .credentialsProvider(credentials(secret))
                .forcePathStyle(true)
                .httpClientBuilder(UrlConnectionHttpClient.builder())
                .build();
    }

    @BeforeAll
    static void start() throws Exception {
        cloud = Cloud.shared();
        s3 = client(Cloud.ACCESS_KEY_SECRET);
        multipart = S3AsyncClient.builder()
                .endpointOverride(cloud.s3())
                .region(Region.of(Cloud.REGION))
                .credentialsProvider(credentials(Cloud.ACCESS_KEY_SECRET))
                .forcePathStyle(true)
                .multipartEnabled(true)
                .build();
        transfers = S3TransferManager.builder().s3Client(multipart).build();
    }

    @AfterAll
    static void stop() {
        transfers.close();
        multipart.close();
        s3.close();
    }

    /** A bucket with a binding; the index must be the bucket whenever it is compared. */
    private static final class Space {
        final String bucket = Cloud.unique("java");
        final String project = Cloud.unique("java");

        Space() throws Exception {
            s3.createBucket(request -> request.bucket(bucket));
            String names = "'ProjectName': '" + project + "'";
            cloud.call("CreateProject", "{" + names + "}");
            cloud.call("CreateDataset", "{" + names + ", 'DatasetName': 'files'}");
            cloud.call("CreateBinding", "{" + names + ", 'DatasetName': 'files', 'URI': 'oss://" + bucket + "'}");
        }

        /** Keys with sizes and entity tags, as the bucket lists them. */
        Map<String, String> listed() {
            return s3.listObjectsV2Paginator(request -> request.bucket(bucket)).contents().stream()
                    .collect(Collectors.toMap(
                            S3Object::key, object -> object.size() + " " + object.eTag().replace("\"", "")));
        }

        Map<String, String> indexed() throws Exception {
            Map<String, String> files = new TreeMap<>();
            String reply = "{'ProjectName': '" + project + "', 'DatasetName': 'files', 'MaxResults': 100}";
            cloud.call("SimpleQuery", reply).getAsJsonArray("Files").forEach(each -> {
                var file = each.getAsJsonObject();
                String tag = file.get("ETag").getAsString().replace("\"", "");
                files.put(file.get("Filename").getAsString(), file.get("Size").getAsLong() + " " + tag);
            });
            return files;
        }

        void isIndexed(Set<String> keys) throws Exception {
            assertEquals(new TreeSet<>(keys), new TreeSet<>(listed().keySet()));
            Cloud.eventually(() -> indexed().equals(listed()));
        }
    }

    private static byte[] bytes(int size) {
        byte[] bytes = new byte[size];
        new Random(size).nextBytes(bytes);
        return bytes;
    }

    @Test
    void oddKeysAreWrittenReadCopiedAndDeletedInABatch() throws Exception {
        Space space = new Space();
        for (String key : ODD_KEYS) {
            s3.putObject(request -> request.bucket(space.bucket).key(key), RequestBody.fromString(key));
            String got = s3.getObjectAsBytes(request -> request.bucket(space.bucket).key(key)).asUtf8String();
            assertEquals(key, got);
        }
        space.isIndexed(Set.copyOf(ODD_KEYS));
        for (String key : ODD_KEYS) {
            s3.copyObject(request -> request.sourceBucket(space.bucket)
                    .sourceKey(key)
                    .destinationBucket(space.bucket)
                    .destinationKey("copies/" + key));
        }
        List<ObjectIdentifier> all = ODD_KEYS.stream()
                .map(key -> ObjectIdentifier.builder().key(key).build())
                .toList();
        DeleteObjectsResponse gone = s3.deleteObjects(request ->
                request.bucket(space.bucket).delete(Delete.builder().objects(all).build()));
        assertEquals(List.of(), gone.errors());
        assertEquals(
                Set.copyOf(ODD_KEYS), gone.deleted().stream().map(each -> each.key()).collect(Collectors.toSet()));
        space.isIndexed(ODD_KEYS.stream().map(key -> "copies/" + key).collect(Collectors.toSet()));
    }

    @ParameterizedTest
    @EnumSource(value = ChecksumAlgorithm.class, names = {"CRC32", "CRC32_C", "SHA1", "SHA256"})
    void checksumsAreKept(ChecksumAlgorithm algorithm) throws Exception {
        String bucket = Cloud.unique("java");
        s3.createBucket(request -> request.bucket(bucket));
        s3.putObject(
                request -> request.bucket(bucket).key("sum").checksumAlgorithm(algorithm),
                RequestBody.fromString("content"));
        HeadObjectResponse head =
                s3.headObject(request -> request.bucket(bucket).key("sum").checksumMode("ENABLED"));
        String sum = switch (algorithm) {
            case CRC32 -> head.checksumCRC32();
            case CRC32_C -> head.checksumCRC32C();
            case SHA1 -> head.checksumSHA1();
            default -> head.checksumSHA256();
        };
        assertEquals(false, sum == null || sum.isEmpty(), head.toString());
        // The SDK compares it with what it read.
        assertEquals(
                "content",
                s3.getObjectAsBytes(request -> request.bucket(bucket).key("sum").checksumMode("ENABLED"))
                        .asUtf8String());
    }

    @Test
    void theMultipartClientWritesAndReadsALargeObject() throws Exception {
        Space space = new Space();
        byte[] content = bytes(LARGE + 7);
        multipart
                .putObject(
                        request -> request.bucket(space.bucket).key("large").checksumAlgorithm("CRC32"),
                        AsyncRequestBody.fromBytes(content))
                .join();
        byte[] got = multipart
                .getObject(
                        request -> request.bucket(space.bucket).key("large"), AsyncResponseTransformer.toBytes())
                .join()
                .asByteArray();
        assertArrayEquals(content, got);
        multipart
                .copyObject(request -> request.sourceBucket(space.bucket)
                        .sourceKey("large")
                        .destinationBucket(space.bucket)
                        .destinationKey("copy"))
                .join();
        space.isIndexed(Set.of("large", "copy"));
        assertEquals(LARGE + 7, s3.headObject(request -> request.bucket(space.bucket).key("copy"))
                .contentLength());
    }

    @Test
    void anObjectOfPartsIsReadByPart() throws Exception {
        String bucket = Cloud.unique("java");
        s3.createBucket(request -> request.bucket(bucket));
        byte[] content = bytes(20 * MEGABYTE + 7);
        multipart
                .putObject(request -> request.bucket(bucket).key("parts"), AsyncRequestBody.fromBytes(content))
                .join();
        HeadObjectResponse first =
                s3.headObject(request -> request.bucket(bucket).key("parts").partNumber(1));
        assertEquals(3, first.partsCount());
        assertEquals(8L * MEGABYTE, first.contentLength());
        byte[] last = s3.getObjectAsBytes(
                        request -> request.bucket(bucket).key("parts").partNumber(3))
                .asByteArray();
        assertArrayEquals(Arrays.copyOfRange(content, 16 * MEGABYTE, content.length), last);
        var attributes = s3.getObjectAttributes(request -> request.bucket(bucket)
                .key("parts")
                .objectAttributes(ObjectAttributes.OBJECT_SIZE, ObjectAttributes.OBJECT_PARTS));
        assertEquals((long) content.length, attributes.objectSize());
        assertEquals(3, attributes.objectParts().totalPartsCount());
    }

    @Test
    void theTransferManagerCopiesAFolderThereAndBack(@TempDir Path folder, @TempDir Path back) throws Exception {
        Space space = new Space();
        Set<String> keys = new TreeSet<>();
        for (String key : ODD_KEYS) {
            if (!key.contains("\\")) {
                Path file = folder.resolve(key);
                Files.createDirectories(file.getParent());
                Files.writeString(file, key);
                keys.add(key);
            }
        }
        Files.write(folder.resolve("large"), bytes(LARGE));
        keys.add("large");
        var up = transfers.uploadDirectory(
                request -> request.bucket(space.bucket).source(folder)).completionFuture().join();
        assertEquals(List.of(), up.failedTransfers());
        space.isIndexed(keys);
        var down = transfers.downloadDirectory(
                request -> request.bucket(space.bucket).destination(back)).completionFuture().join();
        assertEquals(List.of(), down.failedTransfers());
        for (String key : keys) {
            assertEquals(-1, Files.mismatch(folder.resolve(key), back.resolve(key)), key);
        }
    }

    @Test
    void aPresignedUrlIsTakenOnceItIsRightAndRefusedChanged() throws Exception {
        String bucket = Cloud.unique("java");
        s3.createBucket(request -> request.bucket(bucket));
        s3.putObject(request -> request.bucket(bucket).key("a b+c"), RequestBody.fromString("signed"));
        try (S3Presigner presigner = S3Presigner.builder()
                .endpointOverride(cloud.s3())
                .region(Region.of(Cloud.REGION))
                .credentialsProvider(credentials(Cloud.ACCESS_KEY_SECRET))
                .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(true).build())
                .build()) {
            URI url = presigner.presignGetObject(request -> request.signatureDuration(Duration.ofMinutes(1))
                            .getObjectRequest(get -> get.bucket(bucket).key("a b+c")))
                    .url()
                    .toURI();
            assertEquals("200 signed", cloud.get(url));
            URI other = URI.create(url.toString().replace("/a%20b%2Bc", "/other"));
            assertEquals("403", cloud.get(other).substring(0, 3));
        }
    }

    @Test
    void errorsAreTold() {
        String bucket = Cloud.unique("java");
        s3.createBucket(request -> request.bucket(bucket));
        NoSuchKeyException absent = assertThrows(
                NoSuchKeyException.class,
                () -> s3.getObjectAsBytes(request -> request.bucket(bucket).key("none")));
        assertEquals(404, absent.statusCode());
        S3Exception denied;
        try (S3Client other = client("wrong")) {
            denied = assertThrows(S3Exception.class, other::listBuckets);
        }
        assertEquals("403 SignatureDoesNotMatch", denied.statusCode() + " " + denied.awsErrorDetails().errorCode());
        S3Exception wrong = assertThrows(
                S3Exception.class,
                () -> s3.putObject(
                        request -> request.bucket(bucket).key("a").contentMD5("AAAAAAAAAAAAAAAAAAAAAA=="),
                        RequestBody.fromByteBuffer(ByteBuffer.wrap(bytes(10)))));
        assertEquals("400 BadDigest", wrong.statusCode() + " " + wrong.awsErrorDetails().errorCode());
        for (S3Exception error : List.of(absent, denied, wrong)) {
            assertEquals(false, error.requestId() == null || error.requestId().isEmpty(), error.toString());
        }
    }
}
