-- What rails sends (tests/drivers/framework), a command a line: its name, a tab, its text.
-- at its start
Query	SET NAMES utf8mb4, @@SESSION.sql_mode = CONCAT(CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), ',NO_AUTO_VALUE_ON_ZERO'), @@SESSION.sql_auto_is_null = 0, @@SESSION.wait_timeout = 2147483
Ping	
Query	SELECT table_name FROM (SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = database()) _subquery WHERE _subquery.table_type = 'BASE TABLE' AND _subquery.table_name = 'rb_comment'
Query	CREATE TABLE `rb_post` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `title` varchar(60) NOT NULL, `comments_count` int DEFAULT 0 NOT NULL, `created_at` datetime(6) NOT NULL, `updated_at` datetime(6) NOT NULL)
Query	CREATE TABLE `rb_comment` (`id` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `post_id` bigint NOT NULL, `body` text, `created_at` datetime(6) NOT NULL, `updated_at` datetime(6) NOT NULL, INDEX `index_rb_comment_on_post_id` (`post_id`))
Query	SELECT table_name FROM (SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = database()) _subquery
Query	SHOW FULL FIELDS FROM `rb_post`
Query	SELECT column_name FROM information_schema.statistics WHERE index_name = 'PRIMARY' AND table_schema = database() AND table_name = 'rb_post' ORDER BY seq_in_index
Query	SHOW FULL FIELDS FROM `rb_comment`
Query	SELECT column_name FROM information_schema.statistics WHERE index_name = 'PRIMARY' AND table_schema = database() AND table_name = 'rb_comment' ORDER BY seq_in_index
Ping	
-- each request
Ping	
Query	BEGIN
Query	SELECT 1 AS one FROM `rb_post` WHERE `rb_post`.`title` = 'post 22807 1' LIMIT 1
Query	INSERT INTO `rb_post` (`title`, `created_at`, `updated_at`) VALUES ('post 22807 1', '2026-11-26 09:49:16.345247', '2026-11-26 09:49:16.345247')
Query	COMMIT
Query	BEGIN
Query	INSERT INTO `rb_comment` (`post_id`, `body`, `created_at`, `updated_at`) VALUES (2, 'it\'s', '2026-11-26 09:49:16.347099', '2026-11-26 09:49:16.347099')
Query	UPDATE `rb_post` SET `rb_post`.`comments_count` = COALESCE(`rb_post`.`comments_count`, 0) + 1 WHERE `rb_post`.`id` = 2
Query	COMMIT
Query	SELECT `rb_post`.* FROM `rb_post` WHERE `rb_post`.`id` = 2 LIMIT 1
Query	BEGIN
Query	SELECT `rb_post`.* FROM `rb_post` WHERE `rb_post`.`id` = 2 LIMIT 1 FOR UPDATE
Query	SELECT 1 AS one FROM `rb_post` WHERE `rb_post`.`title` = 'changed 22807 1' AND `rb_post`.`id` != 2 LIMIT 1
Query	UPDATE `rb_post` SET `rb_post`.`title` = 'changed 22807 1', `rb_post`.`updated_at` = '2026-11-26 09:49:16.352264' WHERE `rb_post`.`id` = 2
Query	SAVEPOINT active_record_1
Query	UPDATE `rb_post` SET comments_count = comments_count + 1 WHERE `rb_post`.`id` = 2
Query	RELEASE SAVEPOINT active_record_1
Query	COMMIT
Query	SELECT `rb_post`.* FROM `rb_post` WHERE (comments_count >= 1) ORDER BY `rb_post`.`created_at` DESC LIMIT 5
Query	SELECT `rb_comment`.* FROM `rb_comment` WHERE `rb_comment`.`post_id` = 2
Query	SELECT `rb_comment`.* FROM `rb_comment` WHERE `rb_comment`.`post_id` = 2 AND `rb_comment`.`body` = 'always the same' LIMIT 1
Query	BEGIN
Query	INSERT INTO `rb_comment` (`post_id`, `body`, `created_at`, `updated_at`) VALUES (2, 'always the same', '2026-11-26 09:49:16.358917', '2026-11-26 09:49:16.358917')
Query	UPDATE `rb_post` SET `rb_post`.`comments_count` = COALESCE(`rb_post`.`comments_count`, 0) + 1 WHERE `rb_post`.`id` = 2
Query	COMMIT
Query	SET TRANSACTION ISOLATION LEVEL READ COMMITTED
Query	BEGIN
Query	SELECT COUNT(*) FROM `rb_comment` WHERE `rb_comment`.`post_id` = 2
Query	COMMIT
Query	SELECT 1 AS one FROM `rb_post` WHERE `rb_post`.`title` = 'none of these' LIMIT 1
Query	SELECT `rb_post`.* FROM `rb_post` WHERE `rb_post`.`id` = 2 LIMIT 1
Query	BEGIN
Query	SELECT `rb_comment`.* FROM `rb_comment` WHERE `rb_comment`.`post_id` = 2
Query	DELETE FROM `rb_comment` WHERE `rb_comment`.`id` = 3
Query	DELETE FROM `rb_comment` WHERE `rb_comment`.`id` = 4
Query	DELETE FROM `rb_post` WHERE `rb_post`.`id` = 2
Query	COMMIT
Ping	
