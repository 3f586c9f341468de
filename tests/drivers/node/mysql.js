// The old `mysql` driver: text protocol, mysql_native_password only.
'use strict';

const { Session } = require('./session');

new Session(require('mysql')).run([]).catch((error) => {
  console.error(error);
  process.exit(1);
});
