//! Configurations of buckets: those that say what is the case may be set and are
//! read back, the others are refused.

use mediadex_s3::{Access, Watch};

use crate::harness::{Dirs, Served};
use crate::signer::{Signer, send_signed};

const NS: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

fn document(root: &str, content: &str) -> String {
    format!("<{root} {NS}>{content}</{root}>")
}

async fn served() -> (Dirs, Served, Signer) {
    let dirs = Dirs::new();
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("photos", dirs.folder(), Access::ReadWrite).unwrap();
    let signer = Signer::new(s.address);
    (dirs, s, signer)
}

#[tokio::test]
async fn what_is_the_case_may_be_set_and_is_read_back() {
    let (dirs, s, signer) = served().await;
    let blocks = "<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
        <BlockPublicPolicy>true</BlockPublicPolicy>";
    let owner = "<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>";
    let tags =
        "<TagSet><Tag><Key>b</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value>&amp;</Value></Tag></TagSet>";
    let table = [
        ("versioning", "VersioningConfiguration", "<Status>Suspended</Status>", "<Status>Suspended</Status>"),
        ("publicAccessBlock", "PublicAccessBlockConfiguration", blocks, "<BlockPublicPolicy>true<"),
        ("ownershipControls", "OwnershipControls", owner, "<ObjectOwnership>BucketOwnerEnforced<"),
        ("tagging", "Tagging", tags, "<Tag><Key>a</Key><Value>&amp;</Value></Tag><Tag><Key>b</Key>"),
    ];
    for (name, root, content, want) in table {
        let query = format!("{name}=");
        let put = async |bucket: &str| {
            let body = document(root, content);
            send_signed(&signer, "PUT", (bucket, &query), &[], body.as_bytes()).await
        };
        let (status, text) = put("/photos").await;
        assert_eq!(status, 200, "{name}: {text}");
        let (status, text) = put("/nowhere").await;
        assert!(status == 404 && text.contains("NoSuchBucket"), "{name}: {text}");
        let (status, text) = send_signed(&signer, "GET", ("/photos", &query), &[], b"").await;
        assert!(status == 200 && text.contains(want), "{name}: {text}");
    }
    let (_, text) = send_signed(&signer, "GET", ("/photos", "publicAccessBlock="), &[], b"").await;
    assert!(text.contains("<RestrictPublicBuckets>false<"), "{text}");
    // After a new start as well.
    s.stop().await;
    let s = Served::start(&dirs.state(), Watch::Off).await;
    s.store.add_bucket("photos", dirs.folder(), Access::ReadWrite).unwrap();
    let signer = Signer::new(s.address);
    for (name, _, _, want) in table {
        let query = format!("{name}=");
        let (status, text) = send_signed(&signer, "GET", ("/photos", &query), &[], b"").await;
        assert!(status == 200 && text.contains(want), "{name}: {text}");
    }
    for (name, missing) in [
        ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
        ("ownershipControls", "OwnershipControlsNotFoundError"),
        ("tagging", "NoSuchTagSet"),
    ] {
        let query = format!("{name}=");
        let (status, text) = send_signed(&signer, "DELETE", ("/photos", &query), &[], b"").await;
        assert_eq!(status, 204, "{name}: {text}");
        let (status, text) = send_signed(&signer, "GET", ("/photos", &query), &[], b"").await;
        assert!(status == 404 && text.contains(missing), "{name}: {text}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_gone_once_it_is_deleted() {
    let (_dirs, _s, signer) = served().await;
    for name in ["policy", "cors", "lifecycle", "tagging", "website", "encryption", "replication"] {
        let query = format!("{name}=");
        let (status, text) = send_signed(&signer, "DELETE", ("/photos", &query), &[], b"").await;
        assert_eq!(status, 204, "{name}: {text}");
        let (status, text) = send_signed(&signer, "DELETE", ("/nowhere", &query), &[], b"").await;
        assert!(status == 404 && text.contains("NoSuchBucket"), "{name}: {text}");
    }
}

#[tokio::test]
async fn what_is_not_done_cannot_be_set() {
    let (_dirs, _s, signer) = served().await;
    let writer = "<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>";
    for (name, body) in [
        ("versioning", document("VersioningConfiguration", "<Status>Enabled</Status>")),
        ("ownershipControls", document("OwnershipControls", writer)),
        ("policy", "{}".to_owned()),
        ("cors", document("CORSConfiguration", "")),
        ("lifecycle", document("LifecycleConfiguration", "")),
        ("encryption", document("ServerSideEncryptionConfiguration", "")),
        ("replication", document("ReplicationConfiguration", "<Role>r</Role>")),
        ("website", document("WebsiteConfiguration", "")),
        ("logging", document("BucketLoggingStatus", "")),
    ] {
        let query = format!("{name}=");
        let (_, before) = send_signed(&signer, "GET", ("/photos", &query), &[], b"").await;
        let (status, text) = send_signed(&signer, "PUT", ("/photos", &query), &[], body.as_bytes()).await;
        // s3s reads some documents before it asks anybody.
        assert!(
            status == 501 && text.contains("NotImplemented")
                || status == 400 && text.contains("MalformedXML"),
            "{name}: {text}"
        );
        let (_, after) = send_signed(&signer, "GET", ("/photos", &query), &[], b"").await;
        let code = |text: &str| {
            text.split_once("\r\n\r\n").map(|(_, body)| body.split("RequestId").next().map(str::to_owned))
        };
        assert_eq!(code(&before), code(&after), "{name}");
    }
}
