//! What tidegate writes down holds no secret: neither its log at its most talkative, nor the slow log, nor a dump.

use std::fs;
use std::time::Duration;

use super::wire::As;
use super::{attempt, create, create_service, enter, session};
use crate::servers::{Kind, Server};

const SECRETS: [&str; 5] = ["hunter2-file", "hunter2-service", "hunter2-learned", "hunter2-typed", "hunter2-wrong"];

#[test]
fn no_file_holds_a_password() {
    for kind in Kind::here() {
        let server = Server::start(kind, &[]);
        create_service(&server);
        create(&server, "app", "IDENTIFIED BY 'hunter2-file'");
        create(&server, "eve", "IDENTIFIED BY 'hunter2-learned'");
        server
            .sql("CREATE USER reader2@'%' IDENTIFIED BY 'hunter2-service'; GRANT SELECT ON mysql.user TO reader2@'%'");
        let config = "log.level = \"trace\"\nslow_log.threshold = \"0s\"\nslow_log.path = \"slow.log\"\n\
             histogram.path = \"dump.hlog\"\n\
             [auth]\nservice_user = \"reader2\"\nservice_password = \"hunter2-service\"\n\
             [[user]]\nname = \"app\"\npassword = \"hunter2-file\"\n";
        let mut tidegate = session(&server, config);
        attempt(&tidegate, &As::new("app", "hunter2-wrong"));
        attempt(&tidegate, &As::new("eve", "hunter2-wrong"));
        for _ in 0..2 {
            enter(&tidegate, "eve", "hunter2-learned").quit();
        }
        let mut raw = enter(&tidegate, "app", "hunter2-file");
        let typed = match kind {
            Kind::MariaDb1011 | Kind::MariaDb11 => vec![
                "CREATE USER typed@'%' IDENTIFIED BY 'hunter2-typed'",
                "SET PASSWORD FOR typed@'%' = PASSWORD('hunter2-typed')",
                "ALTER USER typed@'%' IDENTIFIED BY 'hunter2-typed'",
                "GRANT SELECT ON *.* TO typed@'%' IDENTIFIED BY 'hunter2-typed'",
                "CREATE /* x */ USER typed IDENTIFIED /* y */ BY 'hunter2-typed', syntax error",
                "SET STATEMENT max_statement_time = 5 FOR SET PASSWORD FOR typed@'%' = PASSWORD('hunter2-typed')",
                "PREPARE p FROM \"SET PASSWORD FOR typed@'%' = PASSWORD('hunter2-typed')\"",
                "CHANGE MASTER TO MASTER_PASSWORD = 'hunter2-typed'",
                "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'u', PASSWORD 'hunter2-typed')",
                "CREATE TABLE fed (a INT) ENGINE=CONNECT OPTION_LIST='user=u,password=hunter2-typed'",
                "CREATE TABLE fed (a INT) ENGINE=SPIDER COMMENT='user \"u\", password \"hunter2-typed\"'",
            ],
            Kind::Mysql56 => vec![
                "CREATE USER typed@'%' IDENTIFIED BY 'hunter2-typed'",
                "SET PASSWORD FOR typed@'%' = PASSWORD('hunter2-typed')",
                "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'u', PASSWORD 'hunter2-typed')",
            ],
            Kind::Mysql9 => vec![
                "CREATE USER typed@'%' IDENTIFIED BY 'hunter2-typed'",
                "SET PASSWORD FOR typed@'%' = 'hunter2-typed'",
                "ALTER USER typed@'%' IDENTIFIED WITH caching_sha2_password BY 'hunter2-typed' RETAIN CURRENT PASSWORD",
                "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = 'hunter2-typed'",
                "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'u', PASSWORD 'hunter2-typed')",
            ],
        };
        let everywhere = [
            "START SLAVE USER='u' PASSWORD='hunter2-typed'",
            "START REPLICA USER='u' PASSWORD='hunter2-typed'",
            "START GROUP_REPLICATION USER='u', PASSWORD='hunter2-typed'",
            "CREATE TABLE fed (a INT) ENGINE=FEDERATED CONNECTION='mysql://u:hunter2-typed@h/d/t'",
            "ALTER TABLE fed CONNECTION='mysql://u:hunter2-typed@h/d/t'",
        ];
        for sql in typed.into_iter().chain(everywhere) {
            // Refused statements are on record as well.
            let _ = raw.query(sql);
        }
        raw.query("SELECT 'harmless'").expect("rows");
        raw.change_user(&As::new("eve", "hunter2-learned"));
        raw.quit();
        tidegate.signal("USR1");
        std::thread::sleep(Duration::from_millis(300));
        tidegate.stop();
        let slow = fs::read_to_string(tidegate.file("slow.log")).expect("a slow log");
        assert!(slow.contains("harmless") && slow.to_lowercase().contains("create user"), "{kind}: {slow}");
        let dump = String::from_utf8_lossy(&fs::read(tidegate.file("dump.hlog")).expect("a dump")).into_owned();
        for (name, text) in [("log", tidegate.log()), ("slow log", slow), ("dump", dump)] {
            for secret in SECRETS {
                assert!(!text.contains(secret), "{kind}: {secret} is in the {name}:\n{text}");
            }
        }
    }
}
