use super::*;

#[test]
fn names_of_services_and_methods_are_kept() {
    let paths = [
        "/shop.Cart/Get",
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/google.cloud.bigquery.storage.v1.BigQueryRead/ReadRows",
        "/hipstershop.ProductCatalogService/ListProducts",
        "/oteldemo.CartService/GetShippingQuoteForCustomer",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
        "/etcdserverpb.KV/Range",
        "/my_pkg.my_service/do_it",
        "/S3/PutHTTP2",
    ];
    for path in paths {
        assert_eq!(&*Path::new(path.as_bytes(), false).call, path);
    }
}

#[test]
fn what_may_be_a_secret_is_no_name() {
    for (path, expected) in [
        ("/shop.Cart/4f9d8e7c6b5a", "/shop.Cart/:id"),
        ("/shop.Cart/hunter2-of-the-test", "/shop.Cart/:id"),
        ("/shop.Cart/aGVsbG8gd29ybGQgc2VjcmV0", "/shop.Cart/:id"),
        ("/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.x/Get", "/:id/Get"),
        ("/shop.Cart/XkqZpWmRtYbNcLdFgH", "/shop.Cart/:id"),
        ("/shop.Cart/Get?token=secret", "/shop.Cart/:id"),
        ("/shop.Cart/Get/more", "/shop.Cart/:id"),
        ("/shop.Cart/", "/shop.Cart/:id"),
        ("//", "/:id/:id"),
        ("/shop", "/unknown/unknown"),
        ("", "/unknown/unknown"),
        ("/\u{1}/x\u{fc}", "/:id/:id"),
    ] {
        assert_eq!(&*Path::new(path.as_bytes(), false).call, expected, "{path}");
    }
    assert_eq!(&*Path::new(b"/shop.Cart/Ge", true).call, "/unknown/unknown", "it is cut");
}

#[test]
fn a_route_tells_service_and_method() {
    assert_eq!(service_and_method("/shop.Cart/Get"), Some(("shop.Cart", "Get")));
    for route in ["/shop.Cart", "unknown", "~other", "/a/b/c", "//b", "/a/"] {
        assert_eq!(service_and_method(route), None, "{route}");
    }
}
