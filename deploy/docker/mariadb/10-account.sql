-- The account that the image made may do everything in its database; Rowferry only reads.
REVOKE ALL PRIVILEGES ON `opendental`.* FROM 'rowferry'@'%';
GRANT SELECT ON `opendental`.* TO 'rowferry'@'%';
GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'rowferry'@'%';
