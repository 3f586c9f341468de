-- What sqlalchemy sends (tests/drivers/framework), a command a line: its name, a tab, its text.
-- at its start
Query	SET NAMES utf8mb4
Query	SET AUTOCOMMIT = 0
Query	SET NAMES utf8mb4
Query	SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
Query	COMMIT
Query	SELECT VERSION()
Query	SELECT DATABASE()
Query	SELECT @@tx_isolation
Query	SELECT @@sql_mode
Query	SELECT @@lower_case_table_names
Query	ROLLBACK
Query	DESCRIBE `crowd`.`sa_user`
Query	DESCRIBE `crowd`.`sa_order`
Query	CREATE TABLE sa_user ( id INTEGER NOT NULL AUTO_INCREMENT, name VARCHAR(40) NOT NULL, PRIMARY KEY (id) )
Query	CREATE TABLE sa_order ( id INTEGER NOT NULL AUTO_INCREMENT, user_id INTEGER NOT NULL, total INTEGER NOT NULL, PRIMARY KEY (id), FOREIGN KEY(user_id) REFERENCES sa_user (id) )
Query	COMMIT
Query	ROLLBACK
Ping	
Query	SET AUTOCOMMIT = 1
-- each request
Query	ROLLBACK
Query	SET AUTOCOMMIT = 0
Query	SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
Query	COMMIT
Ping	
Query	INSERT INTO sa_user (name) VALUES ('user 1')
Query	INSERT INTO sa_order (user_id, total) VALUES (2, 1), (2, 7) RETURNING sa_order.id, sa_order.id AS id__1
Query	COMMIT
Query	ROLLBACK
Ping	
Query	SELECT sa_user.id, sa_user.name FROM sa_user WHERE sa_user.id = 2
Query	SELECT sum(sa_order.total) AS sum_1 FROM sa_order WHERE sa_order.user_id = 2
Query	ROLLBACK
Query	ROLLBACK
Ping	
Query	SELECT sa_user.id, sa_user.name FROM sa_user WHERE sa_user.name = 'user 1' LIMIT 1 FOR UPDATE
Query	UPDATE sa_user SET name='renamed' WHERE sa_user.id = 2
Query	SAVEPOINT sa_savepoint_1
Query	SELECT sa_order.id, sa_order.user_id, sa_order.total FROM sa_order WHERE 2 = sa_order.user_id
Query	DELETE FROM sa_order WHERE sa_order.id = 3
Query	DELETE FROM sa_order WHERE sa_order.id = 4
Query	DELETE FROM sa_user WHERE sa_user.id = 2
Query	RELEASE SAVEPOINT sa_savepoint_1
Query	COMMIT
Query	ROLLBACK
Ping	
Query	SELECT COUNT(*) FROM sa_user
Query	ROLLBACK
Ping	
Query	SET AUTOCOMMIT = 1
