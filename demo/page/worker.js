// Shows what comes when the page is closed.
importScripts('/mochi/pushworker.js');
