from django.urls import path

from tests.tenants.schemas import views
from tests.urls import urlpatterns as shared

urlpatterns = [
    *shared,
    path("whose/", views.whose, name="whose"),
    path("whose-async/", views.whose_async),
    path("streamed/", views.streamed),
    path("streamed-async/", views.streamed_async),
]
