"""Where our project takes deliveries."""

from django.urls import include, path

urlpatterns = [path("stripe/", include("connect.urls"))]
