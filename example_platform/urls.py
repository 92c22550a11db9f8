"""The shop's addresses: Stripe's webhooks, the admin, the shop's own pages."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("stripe/", include("connect.urls")),
    path("admin/", admin.site.urls),
    path("", include("example_platform.shop.urls")),
]
