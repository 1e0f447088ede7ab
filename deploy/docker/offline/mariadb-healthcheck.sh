#!/bin/sh
# As the check of the same name in MariaDB's image: whether it answers over TCP.
exec mariadb-admin --protocol=tcp --host=127.0.0.1 --user=nobody ping
