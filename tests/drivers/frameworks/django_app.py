"""Django's ORM over mysqlclient, with persistent connections and health checks."""

import os

import django
from django.conf import settings

settings.configure(
    USE_TZ=True,
    INSTALLED_APPS=[],
    DATABASES={"default": {
        "ENGINE": "django.db.backends.mysql", "NAME": os.environ["TG_SCHEMA"], "USER": os.environ["TG_USER"], "PASSWORD": "",
        "HOST": os.environ["TG_HOST"], "PORT": os.environ["TG_PORT"], "CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"charset": "utf8mb4", "init_command": "SET sql_mode='STRICT_TRANS_TABLES'"}}})
django.setup()

from django.core.signals import request_finished, request_started  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402


class Article(models.Model):
    title = models.CharField(max_length=60)
    views = models.IntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "app"
        db_table = "dj_article"


if Article._meta.db_table not in connection.introspection.table_names():
    with connection.schema_editor() as editor:
        editor.create_model(Article)

for number in range(int(os.environ["TG_REQUESTS"])):
    request_started.send(sender=None)
    with connection.cursor() as cursor:
        cursor.execute("DO 'request'")
    article = Article.objects.create(title=f"article {number}")
    Article.objects.filter(pk=article.pk).update(views=models.F("views") + 1)
    assert Article.objects.get(pk=article.pk).views == 1
    Article.objects.get_or_create(title="always the same", defaults={"views": 1})
    with transaction.atomic():
        locked = Article.objects.select_for_update().get(pk=article.pk)
        locked.views = 10
        locked.save()
        with transaction.atomic():
            Article.objects.filter(title__icontains="article", pk=article.pk).exists()
    assert Article.objects.filter(views__gte=10).count() > 0
    list(Article.objects.order_by("-created")[:5])
    article.delete()
    request_finished.send(sender=None)
