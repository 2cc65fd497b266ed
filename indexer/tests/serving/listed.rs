use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use crds::pod::ViewList;
use indexer::serve::{serving::Serving, view_list};
use tower::ServiceExt as _;

use crate::stage::{START, Stage};

#[tokio::test]
async fn the_views_of_the_module_are_listed_once_it_is_loaded() {
    let request = || Request::get("/views").body(Body::empty()).unwrap();
    let early = view_list::router(Serving::new(1)).oneshot(request()).await.unwrap();
    assert_eq!(early.status(), StatusCode::SERVICE_UNAVAILABLE);

    let stage = Stage::up_to(START, |_| ());
    let answer = view_list::router(stage.serving).oneshot(request()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let list: ViewList = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (list.views, list.left_out),
        (["spin", "hoard", "get"].map(Into::into).to_vec(), 0)
    );
}
