/* listener_parts.h: what a listener is made of. Room-internal. */
#pragma once

#include "http/connection.h"
#include "http/exchange.h"
#include "http/socket.h"

struct http_listener {
    struct evhttp *http;
    http_handler *handler;
    void *context;
    struct connections connections;
    struct exchanges exchanges;
    size_t open;
    struct bound_sockets sockets;
};
