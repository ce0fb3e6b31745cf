# coding: utf-8
"""
Settings of a Skyline, of the original's size and shape; every value is made up.
"""
import os

HOST_PATTERN = os.uname()[1]


"""
Shared settings
"""

REDIS_SOCKET_PATH = '/tmp/redis.sock'
"""
:var REDIS_SOCKET_PATH: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype REDIS_SOCKET_PATH: str
"""

REDIS_PASSWORD = 'redis-hunter2'
"""
:var REDIS_PASSWORD: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype REDIS_PASSWORD: str
"""

LOG_PATH = '/var/log/skyline'
"""
:var LOG_PATH: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype LOG_PATH: str
"""

PID_PATH = '/var/run/skyline'
"""
:var PID_PATH: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype PID_PATH: str
"""

SKYLINE_TMP_DIR = '/tmp/skyline'
"""
:var SKYLINE_TMP_DIR: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SKYLINE_TMP_DIR: str
"""

SKYLINE_DIR = '/opt/skyline'
"""
:var SKYLINE_DIR: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SKYLINE_DIR: str
"""

FULL_NAMESPACE = 'metrics.'
"""
:var FULL_NAMESPACE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype FULL_NAMESPACE: str
"""

MINI_NAMESPACE = 'mini.'
"""
:var MINI_NAMESPACE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MINI_NAMESPACE: str
"""

FULL_DURATION = 86400
"""
:var FULL_DURATION: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype FULL_DURATION: str
"""

MINI_DURATION = 3600
"""
:var MINI_DURATION: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MINI_DURATION: str
"""

VERIFY_SSL = True
"""
:var VERIFY_SSL: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype VERIFY_SSL: boolean
"""

GRAPHITE_HOST = 'graphite.shop.test'
"""
:var GRAPHITE_HOST: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype GRAPHITE_HOST: str
"""

GRAPHITE_PROTOCOL = 'http'
"""
:var GRAPHITE_PROTOCOL: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype GRAPHITE_PROTOCOL: str
"""

GRAPHITE_PORT = '80'
"""
:var GRAPHITE_PORT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype GRAPHITE_PORT: str
"""

GRAPHITE_CONNECT_TIMEOUT = 5
"""
:var GRAPHITE_CONNECT_TIMEOUT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype GRAPHITE_CONNECT_TIMEOUT: int
"""

GRAPHITE_READ_TIMEOUT = 10
"""
:var GRAPHITE_READ_TIMEOUT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype GRAPHITE_READ_TIMEOUT: int
"""

GRAPHITE_RENDER_URI = 'render'
"""
:var GRAPHITE_RENDER_URI: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype GRAPHITE_RENDER_URI: str
"""

GRAPHITE_AUTH_HEADER = False
"""
:var GRAPHITE_AUTH_HEADER: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype GRAPHITE_AUTH_HEADER: str
"""

GRAPHITE_CUSTOM_HEADERS = {}
"""
:var GRAPHITE_CUSTOM_HEADERS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype GRAPHITE_CUSTOM_HEADERS: dict
"""

GRAPHITE_GRAPH_SETTINGS = '&width=588&height=308&bgcolor=000000&fontBold=true&fgcolor=C0C0C0'
"""
:var GRAPHITE_GRAPH_SETTINGS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype GRAPHITE_GRAPH_SETTINGS: str
"""

TARGET_HOURS = '7'
"""
:var TARGET_HOURS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype TARGET_HOURS: str
"""

GRAPH_URL = GRAPHITE_PROTOCOL + '://' + GRAPHITE_HOST + ':' + GRAPHITE_PORT + '/render?width=1400&from=-' + TARGET_HOURS + 'hour&target='
"""
:var GRAPH_URL: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype GRAPH_URL: str
"""

CARBON_PORT = 2003
"""
:var CARBON_PORT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CARBON_PORT: int
"""

CARBON_PICKLE_PORT = 2004
"""
:var CARBON_PICKLE_PORT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CARBON_PICKLE_PORT: int
"""

SKYLINE_METRICS_CARBON_HOST = GRAPHITE_HOST
"""
:var SKYLINE_METRICS_CARBON_HOST: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SKYLINE_METRICS_CARBON_HOST: str
"""

SKYLINE_METRICS_CARBON_PORT = CARBON_PORT
"""
:var SKYLINE_METRICS_CARBON_PORT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SKYLINE_METRICS_CARBON_PORT: int
"""

CARBON_HOST = GRAPHITE_HOST
"""
:var CARBON_HOST: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CARBON_HOST: str
"""

SERVER_METRICS_NAME = 'skyline-1'
"""
:var SERVER_METRICS_NAME: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SERVER_METRICS_NAME: str
"""

OCULUS_HOST = ''
"""
:var OCULUS_HOST: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype OCULUS_HOST: str
"""

DO_NOT_ALERT_ON_STALE_METRICS = []
"""
:var DO_NOT_ALERT_ON_STALE_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype DO_NOT_ALERT_ON_STALE_METRICS: list
"""

SERVER_PYTZ_TIMEZONE = 'UTC'
"""
:var SERVER_PYTZ_TIMEZONE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SERVER_PYTZ_TIMEZONE: str
"""

RUNNING_IN_DOCKER = False
"""
:var RUNNING_IN_DOCKER: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype RUNNING_IN_DOCKER: boolean
"""

MEMCACHE_ENABLED = False
"""
:var MEMCACHE_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MEMCACHE_ENABLED: boolean
"""

MEMCACHED_SERVER_IP = '127.0.0.1'
"""
:var MEMCACHED_SERVER_IP: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MEMCACHED_SERVER_IP: str
"""

MEMCACHED_SERVER_PORT = 11211
"""
:var MEMCACHED_SERVER_PORT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MEMCACHED_SERVER_PORT: int
"""

REMOTE_SKYLINE_INSTANCES = []
"""
:var REMOTE_SKYLINE_INSTANCES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype REMOTE_SKYLINE_INSTANCES: list
"""

OTHER_SKYLINE_INSTANCES = []
"""
:var OTHER_SKYLINE_INSTANCES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype OTHER_SKYLINE_INSTANCES: list
"""

SYNC_CLUSTER_FILES = False
"""
:var SYNC_CLUSTER_FILES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SYNC_CLUSTER_FILES: boolean
"""

OTEL_ENABLED = False
"""
:var OTEL_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype OTEL_ENABLED: boolean
"""

OTEL_JAEGEREXPORTER_AGENT_HOST_NAME = '127.0.0.1'
"""
:var OTEL_JAEGEREXPORTER_AGENT_HOST_NAME: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype OTEL_JAEGEREXPORTER_AGENT_HOST_NAME: str
"""

OTEL_JAEGEREXPORTER_AGENT_PORT = 26831
"""
:var OTEL_JAEGEREXPORTER_AGENT_PORT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype OTEL_JAEGEREXPORTER_AGENT_PORT: int
"""

MEMRAY_ENABLED = False
"""
:var MEMRAY_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MEMRAY_ENABLED: boolean
"""


"""
Analyzer settings
"""

ANALYZER_VERBOSE_LOGGING = True
"""
:var ANALYZER_VERBOSE_LOGGING: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ANALYZER_VERBOSE_LOGGING: boolean
"""

ANOMALY_DUMP = 'webapp/static/dump/anomalies.json'
"""
:var ANOMALY_DUMP: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ANOMALY_DUMP: str
"""

ANALYZER_PROCESSES = 3
"""
:var ANALYZER_PROCESSES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ANALYZER_PROCESSES: int
"""

ANALYZER_OPTIMUM_RUN_DURATION = 60
"""
:var ANALYZER_OPTIMUM_RUN_DURATION: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ANALYZER_OPTIMUM_RUN_DURATION: int
"""

MAX_ANALYZER_PROCESS_RUNTIME = ANALYZER_OPTIMUM_RUN_DURATION - 4
"""
:var MAX_ANALYZER_PROCESS_RUNTIME: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MAX_ANALYZER_PROCESS_RUNTIME: int
"""

STALE_PERIOD = 500
"""
:var STALE_PERIOD: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype STALE_PERIOD: int
"""

ALERT_ON_STALE_METRICS = True
"""
:var ALERT_ON_STALE_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ALERT_ON_STALE_METRICS: boolean
"""

ALERT_ON_STALE_PERIOD = 300
"""
:var ALERT_ON_STALE_PERIOD: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ALERT_ON_STALE_PERIOD: int
"""

CUSTOM_STALE_PERIOD = {'stats.daily': 86400 * 2}
"""
:var CUSTOM_STALE_PERIOD: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CUSTOM_STALE_PERIOD: dict
"""

MIN_TOLERABLE_LENGTH = 100
"""
:var MIN_TOLERABLE_LENGTH: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MIN_TOLERABLE_LENGTH: int
"""

MAX_TOLERABLE_BOREDOM = 100
"""
:var MAX_TOLERABLE_BOREDOM: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MAX_TOLERABLE_BOREDOM: int
"""

BOREDOM_SET_SIZE = 1
"""
:var BOREDOM_SET_SIZE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOREDOM_SET_SIZE: int
"""

CANARY_METRIC = 'stats.canary.count'
"""
:var CANARY_METRIC: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CANARY_METRIC: str
"""

ALGORITHMS = [
    'histogram_bins',
    'first_hour_average',
    'stddev_from_average',
    'grubbs',
    'ks_test',
    'mean_subtraction_cumulation',
    'median_absolute_deviation',
    'stddev_from_moving_average',
    'least_squares',
]
"""
:var ALGORITHMS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ALGORITHMS: list
"""

CONSENSUS = 6
"""
:var CONSENSUS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CONSENSUS: int
"""

RUN_OPTIMIZED_WORKFLOW = True
"""
:var RUN_OPTIMIZED_WORKFLOW: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype RUN_OPTIMIZED_WORKFLOW: boolean
"""

ENABLE_ALGORITHM_RUN_METRICS = True
"""
:var ENABLE_ALGORITHM_RUN_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ENABLE_ALGORITHM_RUN_METRICS: boolean
"""

ENABLE_ALL_FUNCTIONS_RUN_METRICS = False
"""
:var ENABLE_ALL_FUNCTIONS_RUN_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ENABLE_ALL_FUNCTIONS_RUN_METRICS: boolean
"""

ENABLE_SECOND_ORDER = False
"""
:var ENABLE_SECOND_ORDER: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ENABLE_SECOND_ORDER: boolean
"""

ENABLE_ALERTS = True
"""
:var ENABLE_ALERTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ENABLE_ALERTS: boolean
"""

ENABLE_MIRAGE = True
"""
:var ENABLE_MIRAGE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ENABLE_MIRAGE: boolean
"""

ENABLE_FULL_DURATION_ALERTS = False
"""
:var ENABLE_FULL_DURATION_ALERTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ENABLE_FULL_DURATION_ALERTS: boolean
"""

ANALYZER_CRUCIBLE_ENABLED = False
"""
:var ANALYZER_CRUCIBLE_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ANALYZER_CRUCIBLE_ENABLED: boolean
"""

ALERTS = (
    # Quiet first: what the canary does is nobody's business.
    ('stats.canary', 'smtp', 3600),
    ('skyline', 'smtp', 1800),
    ('stats.checkout', 'smtp', 600, 168),
    ('stats\\.web[0-9]+\\.', 'smtp', 1200),
    ('stats.checkout', 'slack', 900),
    ('stats', 'slack', 3600),
    ('stats.checkout', 'pagerduty', 1800),
    ('stats', 'http_alerter-tickets', 3600),
    ('stats', 'hipchat', 1800),
    ('stats.checkout', 'sms', 3600),
    ('skyline', 'syslog', 1),
    (HOST_PATTERN, 'smtp', 60),
)
"""
:var ALERTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ALERTS: tuple
"""

EXTERNAL_ALERTS = {}
"""
:var EXTERNAL_ALERTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype EXTERNAL_ALERTS: dict
"""

PLOT_REDIS_DATA = True
"""
:var PLOT_REDIS_DATA: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype PLOT_REDIS_DATA: boolean
"""

NON_DERIVATIVE_MONOTONIC_METRICS = ['the_namespace_of_the_monotonic_metric_to_not_calculate_the_derivative_for']
"""
:var NON_DERIVATIVE_MONOTONIC_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype NON_DERIVATIVE_MONOTONIC_METRICS: list
"""

ZERO_FILL_NAMESPACES = []
"""
:var ZERO_FILL_NAMESPACES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ZERO_FILL_NAMESPACES: list
"""

LAST_KNOWN_VALUE_NAMESPACES = []
"""
:var LAST_KNOWN_VALUE_NAMESPACES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype LAST_KNOWN_VALUE_NAMESPACES: list
"""

IDENTIFY_AIRGAPS = False
"""
:var IDENTIFY_AIRGAPS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype IDENTIFY_AIRGAPS: boolean
"""

MAX_AIRGAP_PERIOD = int(21600)
"""
:var MAX_AIRGAP_PERIOD: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MAX_AIRGAP_PERIOD: int
"""

CHECK_AIRGAPS = []
"""
:var CHECK_AIRGAPS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CHECK_AIRGAPS: list
"""

SKIP_AIRGAPS = ['skyline.']
"""
:var SKIP_AIRGAPS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SKIP_AIRGAPS: list
"""

IDENTIFY_UNORDERED_TIMESERIES = False
"""
:var IDENTIFY_UNORDERED_TIMESERIES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype IDENTIFY_UNORDERED_TIMESERIES: boolean
"""

CHECK_DATA_SPARSITY = True
"""
:var CHECK_DATA_SPARSITY: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CHECK_DATA_SPARSITY: boolean
"""

SKIP_CHECK_DATA_SPARSITY_NAMESPACES = []
"""
:var SKIP_CHECK_DATA_SPARSITY_NAMESPACES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SKIP_CHECK_DATA_SPARSITY_NAMESPACES: list
"""

FULLY_POPULATED_PERCENTAGE = 94.0
"""
:var FULLY_POPULATED_PERCENTAGE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype FULLY_POPULATED_PERCENTAGE: float
"""

SPARSELY_POPULATED_PERCENTAGE = 40.0
"""
:var SPARSELY_POPULATED_PERCENTAGE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SPARSELY_POPULATED_PERCENTAGE: float
"""

ANALYZER_CHECK_LAST_TIMESTAMP = False
"""
:var ANALYZER_CHECK_LAST_TIMESTAMP: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ANALYZER_CHECK_LAST_TIMESTAMP: boolean
"""

BATCH_PROCESSING = None
"""
:var BATCH_PROCESSING: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BATCH_PROCESSING: boolean
"""

BATCH_PROCESSING_STALE_PERIOD = 86400
"""
:var BATCH_PROCESSING_STALE_PERIOD: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BATCH_PROCESSING_STALE_PERIOD: int
"""

BATCH_PROCESSING_NAMESPACES = []
"""
:var BATCH_PROCESSING_NAMESPACES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BATCH_PROCESSING_NAMESPACES: list
"""

METRICS_INACTIVE_AFTER = FULL_DURATION - 3600
"""
:var METRICS_INACTIVE_AFTER: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype METRICS_INACTIVE_AFTER: int
"""

ANALYZER_ANALYZE_LOW_PRIORITY_METRICS = True
"""
:var ANALYZER_ANALYZE_LOW_PRIORITY_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ANALYZER_ANALYZE_LOW_PRIORITY_METRICS: boolean
"""

ANALYZER_DYNAMICALLY_ANALYZE_LOW_PRIORITY_METRICS = False
"""
:var ANALYZER_DYNAMICALLY_ANALYZE_LOW_PRIORITY_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ANALYZER_DYNAMICALLY_ANALYZE_LOW_PRIORITY_METRICS: boolean
"""

ANALYZER_MAD_LOW_PRIORITY_METRICS = 0
"""
:var ANALYZER_MAD_LOW_PRIORITY_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ANALYZER_MAD_LOW_PRIORITY_METRICS: int
"""

ANALYZER_SKIP = []
"""
:var ANALYZER_SKIP: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ANALYZER_SKIP: list
"""

CUSTOM_ALGORITHMS = {}
"""
:var CUSTOM_ALGORITHMS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CUSTOM_ALGORITHMS: dict
"""

DEBUG_CUSTOM_ALGORITHMS = False
"""
:var DEBUG_CUSTOM_ALGORITHMS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype DEBUG_CUSTOM_ALGORITHMS: boolean
"""


"""
Alerts settings
"""

SYSLOG_ENABLED = True
"""
:var SYSLOG_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SYSLOG_ENABLED: boolean
"""

SLACK_ENABLED = True
"""
:var SLACK_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SLACK_ENABLED: boolean
"""

PAGERDUTY_ENABLED = True
"""
:var PAGERDUTY_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype PAGERDUTY_ENABLED: boolean
"""

HTTP_ALERTERS_ENABLED = True
"""
:var HTTP_ALERTERS_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype HTTP_ALERTERS_ENABLED: boolean
"""

AWS_SNS_SMS_ALERTS_ENABLED = False
"""
:var AWS_SNS_SMS_ALERTS_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype AWS_SNS_SMS_ALERTS_ENABLED: boolean
"""

HIPCHAT_ENABLED = False
"""
:var HIPCHAT_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype HIPCHAT_ENABLED: boolean
"""

SMTP_OPTS = {
    # This specifies the sender of email alerts.
    'sender': 'skyline@shop.test',
    # recipients is a dictionary mapping metric names to arrays of email addresses
    'recipients': {
        'skyline': ['ops@shop.test', 'lead@shop.test'],
        'stats.checkout': ['checkout'
                           '@shop.test'],
        'stats.canary': ['no_email'],
    },
    'default_recipient': ['ops@shop.test'],
    'embed-images': True,
    'smtp_server': {
        'host': 'mail.shop.test',
        'port': 587,
        'ssl': False,
        'user': 'skyline',
        'password': 'mail-hunter2',
    },
}
"""
:var SMTP_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SMTP_OPTS: dict
"""

HIPCHAT_OPTS = {'auth_token': 'pipelines-hunter2', 'sender': 'skyline', 'rooms': {'skyline': (12345,)}, 'color': 'purple'}
"""
:var HIPCHAT_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype HIPCHAT_OPTS: dict
"""

PAGERDUTY_OPTS = {
    'subdomain': 'shop',
    'auth_token': 'pagerduty-hunter2',
    'key': '0123456789abcdef0123456789abcdef',
}
"""
:var PAGERDUTY_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype PAGERDUTY_OPTS: dict
"""

SYSLOG_OPTS = {'ident': 'skyline', }
"""
:var SYSLOG_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SYSLOG_OPTS: dict
"""

SLACK_OPTS = {
    'bot_user_oauth_access_token': 'xoxb-hunter2',
    'default_channel': 'general',
    'default_channel_id': 'C00000001',
    'channels': {
        'stats.checkout': ('#checkout', 'ops'),
    },
    'icon_emoji': ':chart_with_upwards_trend:',
    'thread_updates': True,
    'message_on_training_data_viewed': True,
    'message_on_training_data_viewed_reaction_emoji': 'eyes',
}
"""
:var SLACK_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SLACK_OPTS: dict
"""

HTTP_ALERTERS_OPTS = {
    'http_alerter-tickets': {'enabled': True, 'endpoint': 'https://tickets.shop.test/api/alerts', 'token': 'tickets-hunter2'},
    'http_alerter-mock_api_alerter': {'enabled': False, 'endpoint': 'http://127.0.0.1:1500/mock_api?alert_reciever', 'token': None},
}
"""
:var HTTP_ALERTERS_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype HTTP_ALERTERS_OPTS: dict
"""

AWS_OPTS = {'aws_access_key_id': 'aws-hunter2', 'aws_secret_access_key': 'aws-hunter2'}
"""
:var AWS_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype AWS_OPTS: dict
"""

CUSTOM_ALERT_OPTS = {'main_alert_title': 'Skyline', 'analyzer_alert_heading': 'Analyzer'}
"""
:var CUSTOM_ALERT_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CUSTOM_ALERT_OPTS: dict
"""


"""
Horizon settings
"""

WORKER_PROCESSES = 2
"""
:var WORKER_PROCESSES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WORKER_PROCESSES: int
"""

HORIZON_IP = '0.0.0.0'
"""
:var HORIZON_IP: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype HORIZON_IP: str
"""

PICKLE_PORT = 2024
"""
:var PICKLE_PORT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype PICKLE_PORT: int
"""

UDP_PORT = 2025
"""
:var UDP_PORT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype UDP_PORT: int
"""

CHUNK_SIZE = 10
"""
:var CHUNK_SIZE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype CHUNK_SIZE: int
"""

MAX_QUEUE_SIZE = 50000
"""
:var MAX_QUEUE_SIZE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MAX_QUEUE_SIZE: int
"""

ROOMBA_PROCESSES = 1
"""
:var ROOMBA_PROCESSES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ROOMBA_PROCESSES: int
"""

ROOMBA_GRACE_TIME = 600
"""
:var ROOMBA_GRACE_TIME: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ROOMBA_GRACE_TIME: int
"""

ROOMBA_OPTIMUM_RUN_DURATION = 60
"""
:var ROOMBA_OPTIMUM_RUN_DURATION: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ROOMBA_OPTIMUM_RUN_DURATION: int
"""

ROOMBA_TIMEOUT = 100
"""
:var ROOMBA_TIMEOUT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ROOMBA_TIMEOUT: int
"""

ROOMBA_DO_NOT_PROCESS_BATCH_METRICS = False
"""
:var ROOMBA_DO_NOT_PROCESS_BATCH_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ROOMBA_DO_NOT_PROCESS_BATCH_METRICS: boolean
"""

MAX_RESOLUTION = 1000
"""
:var MAX_RESOLUTION: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype MAX_RESOLUTION: int
"""

HORIZON_SHARDS = {}
"""
:var HORIZON_SHARDS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype HORIZON_SHARDS: dict
"""

HORIZON_SHARD_PICKLE_PORT = 2026
"""
:var HORIZON_SHARD_PICKLE_PORT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype HORIZON_SHARD_PICKLE_PORT: int
"""

HORIZON_SHARD_DEBUG = False
"""
:var HORIZON_SHARD_DEBUG: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype HORIZON_SHARD_DEBUG: boolean
"""

LISTEN_FOR_PICKLES = True
"""
:var LISTEN_FOR_PICKLES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype LISTEN_FOR_PICKLES: boolean
"""

SKIP_LIST = [
    # Feedback
    'skyline.analyzer.',
    'skyline.boundary.',
    'skyline.ionosphere.',
    'skyline.mirage.',
    'stats.test',
    'debug[1]',
]
"""
:var SKIP_LIST: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SKIP_LIST: list
"""

DO_NOT_SKIP_LIST = [
    'skyline.analyzer.run_time',
    'skyline.boundary.run_time',
    'skyline.analyzer.total_anomalies',
]
"""
:var DO_NOT_SKIP_LIST: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype DO_NOT_SKIP_LIST: list
"""


"""
Thunder settings
"""

THUNDER_ENABLED = True
"""
:var THUNDER_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype THUNDER_ENABLED: boolean
"""

THUNDER_CHECKS = {
    'analyzer': {'run_time': {'run': True, 'expiry': 900, 'after_overruns': 5, 'alert_via_slack': True}, 'up': {'run': True, 'expiry': 900}},
    'horizon': {'up': {'run': True, 'expiry': 900}},
}
"""
:var THUNDER_CHECKS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype THUNDER_CHECKS: dict
"""

THUNDER_OPTS = {'alert_via_smtp': True, 'alert_via_slack': False, 'smtp_recipients': ['ops@shop.test']}
"""
:var THUNDER_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype THUNDER_OPTS: dict
"""


"""
Boundary settings
"""

BOUNDARY_PROCESSES = 1
"""
:var BOUNDARY_PROCESSES: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_PROCESSES: int
"""

BOUNDARY_OPTIMUM_RUN_DURATION = 60
"""
:var BOUNDARY_OPTIMUM_RUN_DURATION: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_OPTIMUM_RUN_DURATION: int
"""

ENABLE_BOUNDARY_DEBUG = False
"""
:var ENABLE_BOUNDARY_DEBUG: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ENABLE_BOUNDARY_DEBUG: boolean
"""

BOUNDARY_ALGORITHMS = ['detect_drop_off_cliff', 'greater_than', 'less_than']
"""
:var BOUNDARY_ALGORITHMS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_ALGORITHMS: list
"""

BOUNDARY_ENABLE_ALERTS = False
"""
:var BOUNDARY_ENABLE_ALERTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_ENABLE_ALERTS: boolean
"""

BOUNDARY_CRUCIBLE_ENABLED = False
"""
:var BOUNDARY_CRUCIBLE_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_CRUCIBLE_ENABLED: boolean
"""

BOUNDARY_METRICS = (
    ('stats.checkout.orders', 'detect_drop_off_cliff', 1800, 500, 3600, 0, 2, 'smtp|slack'),
    ('stats.web.free_disk', 'less_than', 3600, 0, 0, 10, 5, 'smtp'),
    ('stats.queue.length', 'greater_than', 3600, 0, 0, 1000.5, 5, 'smtp|pagerduty'),
)
"""
:var BOUNDARY_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_METRICS: tuple
"""

BOUNDARY_AUTOAGGRERATION = False
"""
:var BOUNDARY_AUTOAGGRERATION: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_AUTOAGGRERATION: boolean
"""

BOUNDARY_AUTOAGGRERATION_METRICS = (('nometrics.either', 60),)
"""
:var BOUNDARY_AUTOAGGRERATION_METRICS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_AUTOAGGRERATION_METRICS: tuple
"""

BOUNDARY_ALERTER_OPTS = {'alerter_expiration_time': {'smtp': 60, 'pagerduty': 1800, 'slack': 1800}, 'alerter_limit': {'smtp': 100, 'pagerduty': 15}}
"""
:var BOUNDARY_ALERTER_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_ALERTER_OPTS: dict
"""

BOUNDARY_SMTP_OPTS = {'sender': 'skyline@shop.test', 'recipients': {'skyline': ['ops@shop.test']}, 'graphite_previous_hours': 7}
"""
:var BOUNDARY_SMTP_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_SMTP_OPTS: dict
"""

BOUNDARY_PAGERDUTY_OPTS = {}
"""
:var BOUNDARY_PAGERDUTY_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_PAGERDUTY_OPTS: dict
"""

BOUNDARY_SLACK_OPTS = {}
"""
:var BOUNDARY_SLACK_OPTS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype BOUNDARY_SLACK_OPTS: dict
"""


"""
Webapp settings
"""

WEBAPP_SERVER = 'gunicorn'
"""
:var WEBAPP_SERVER: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_SERVER: str
"""

WEBAPP_IP = '127.0.0.1'
"""
:var WEBAPP_IP: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_IP: str
"""

WEBAPP_PORT = 1500
"""
:var WEBAPP_PORT: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_PORT: int
"""

WEBAPP_GUNICORN_WORKERS = 2
"""
:var WEBAPP_GUNICORN_WORKERS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_GUNICORN_WORKERS: int
"""

WEBAPP_GUNICORN_BACKLOG = 254
"""
:var WEBAPP_GUNICORN_BACKLOG: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_GUNICORN_BACKLOG: int
"""

WEBAPP_AUTH_ENABLED = True
"""
:var WEBAPP_AUTH_ENABLED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_AUTH_ENABLED: boolean
"""

WEBAPP_AUTH_USER = 'admin'
"""
:var WEBAPP_AUTH_USER: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_AUTH_USER: str
"""

WEBAPP_AUTH_USER_PASSWORD = 'pages-hunter2'
"""
:var WEBAPP_AUTH_USER_PASSWORD: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_AUTH_USER_PASSWORD: str
"""

WEBAPP_IP_RESTRICTED = True
"""
:var WEBAPP_IP_RESTRICTED: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_IP_RESTRICTED: boolean
"""

WEBAPP_ALLOWED_IPS = ['127.0.0.1']
"""
:var WEBAPP_ALLOWED_IPS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_ALLOWED_IPS: list
"""

WEBAPP_USER_TIMEZONE = True
"""
:var WEBAPP_USER_TIMEZONE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_USER_TIMEZONE: boolean
"""

WEBAPP_FIXED_TIMEZONE = 'Etc/GMT+0'
"""
:var WEBAPP_FIXED_TIMEZONE: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_FIXED_TIMEZONE: str
"""

WEBAPP_JAVASCRIPT_DEBUG = False
"""
:var WEBAPP_JAVASCRIPT_DEBUG: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_JAVASCRIPT_DEBUG: boolean
"""

WEBAPP_ACCEPT_DATA_UPLOADS = True
"""
:var WEBAPP_ACCEPT_DATA_UPLOADS: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype WEBAPP_ACCEPT_DATA_UPLOADS: boolean
"""

ENABLE_WEBAPP_DEBUG = False
"""
:var ENABLE_WEBAPP_DEBUG: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype ENABLE_WEBAPP_DEBUG: boolean
"""

SKYLINE_URL = 'https://skyline.example.com'
"""
:var SKYLINE_URL: What it sets, in a sentence or two, with "quotes" and 'quotes',
    and a second line.
:vartype SKYLINE_URL: str
"""


"""
Mirage settings
"""

MIRAGE_PROCESSES = 1
"""
:var MIRAGE_PROCESSES: What it sets.
:vartype MIRAGE_PROCESSES: int
"""

MIRAGE_STALE_SECONDS = 300
"""
:var MIRAGE_STALE_SECONDS: What it sets.
:vartype MIRAGE_STALE_SECONDS: int
"""

MIRAGE_CONSENSUS = 6
"""
:var MIRAGE_CONSENSUS: What it sets.
:vartype MIRAGE_CONSENSUS: int
"""

MIRAGE_ENABLE_SECOND_ORDER = False
"""
:var MIRAGE_ENABLE_SECOND_ORDER: What it sets.
:vartype MIRAGE_ENABLE_SECOND_ORDER: bool
"""

MIRAGE_ENABLE_ALERTS = True
"""
:var MIRAGE_ENABLE_ALERTS: What it sets.
:vartype MIRAGE_ENABLE_ALERTS: bool
"""

MIRAGE_CRUCIBLE_ENABLED = False
"""
:var MIRAGE_CRUCIBLE_ENABLED: What it sets.
:vartype MIRAGE_CRUCIBLE_ENABLED: bool
"""

MIRAGE_PERIODIC_CHECK = True
"""
:var MIRAGE_PERIODIC_CHECK: What it sets.
:vartype MIRAGE_PERIODIC_CHECK: bool
"""

MIRAGE_PERIODIC_CHECK_INTERVAL = 3600
"""
:var MIRAGE_PERIODIC_CHECK_INTERVAL: What it sets.
:vartype MIRAGE_PERIODIC_CHECK_INTERVAL: int
"""

MIRAGE_PERIODIC_CHECK_NAMESPACES = []
"""
:var MIRAGE_PERIODIC_CHECK_NAMESPACES: What it sets.
:vartype MIRAGE_PERIODIC_CHECK_NAMESPACES: list
"""

MIRAGE_ALWAYS_METRICS = []
"""
:var MIRAGE_ALWAYS_METRICS: What it sets.
:vartype MIRAGE_ALWAYS_METRICS: list
"""

MIRAGE_AUTOFILL_TOOSHORT = False
"""
:var MIRAGE_AUTOFILL_TOOSHORT: What it sets.
:vartype MIRAGE_AUTOFILL_TOOSHORT: bool
"""

MIRAGE_CHECK_REPETITIVE_DAILY_PEAKS = 3
"""
:var MIRAGE_CHECK_REPETITIVE_DAILY_PEAKS: What it sets.
:vartype MIRAGE_CHECK_REPETITIVE_DAILY_PEAKS: int
"""

MIRAGE_SKIP_IRREGULAR_UNSTABLE = []
"""
:var MIRAGE_SKIP_IRREGULAR_UNSTABLE: What it sets.
:vartype MIRAGE_SKIP_IRREGULAR_UNSTABLE: list
"""

MIRAGE_ANALYSIS_RESOLUTION = 0
"""
:var MIRAGE_ANALYSIS_RESOLUTION: What it sets.
:vartype MIRAGE_ANALYSIS_RESOLUTION: int
"""

MIRAGE_INFLECTION = False
"""
:var MIRAGE_INFLECTION: What it sets.
:vartype MIRAGE_INFLECTION: bool
"""

MIRAGE_CHECK_PATH = '/opt/skyline/mirage/check'
"""
:var MIRAGE_CHECK_PATH: What it sets.
:vartype MIRAGE_CHECK_PATH: str
"""

MIRAGE_DATA_FOLDER = '/opt/skyline/mirage/data'
"""
:var MIRAGE_DATA_FOLDER: What it sets.
:vartype MIRAGE_DATA_FOLDER: str
"""

MIRAGE_ALGORITHMS = []
"""
:var MIRAGE_ALGORITHMS: What it sets.
:vartype MIRAGE_ALGORITHMS: list
"""

MIRAGE_RUN_OPTIMIZED_WORKFLOW = True
"""
:var MIRAGE_RUN_OPTIMIZED_WORKFLOW: What it sets.
:vartype MIRAGE_RUN_OPTIMIZED_WORKFLOW: bool
"""

MIRAGE_ENABLE_HIGH_RESOLUTION_ANALYSIS = False
"""
:var MIRAGE_ENABLE_HIGH_RESOLUTION_ANALYSIS: What it sets.
:vartype MIRAGE_ENABLE_HIGH_RESOLUTION_ANALYSIS: bool
"""

MIRAGE_SCALE_CONFIDENCE = False
"""
:var MIRAGE_SCALE_CONFIDENCE: What it sets.
:vartype MIRAGE_SCALE_CONFIDENCE: bool
"""


"""
Panorama settings
"""

PANORAMA_ENABLED = True
"""
:var PANORAMA_ENABLED: What it sets.
:vartype PANORAMA_ENABLED: bool
"""

PANORAMA_PROCESSES = 1
"""
:var PANORAMA_PROCESSES: What it sets.
:vartype PANORAMA_PROCESSES: int
"""

PANORAMA_EXPIRY_TIME = 900
"""
:var PANORAMA_EXPIRY_TIME: What it sets.
:vartype PANORAMA_EXPIRY_TIME: int
"""

PANORAMA_CHECK_MAX_AGE = 300
"""
:var PANORAMA_CHECK_MAX_AGE: What it sets.
:vartype PANORAMA_CHECK_MAX_AGE: int
"""

PANORAMA_CHECK_INTERVAL = 20
"""
:var PANORAMA_CHECK_INTERVAL: What it sets.
:vartype PANORAMA_CHECK_INTERVAL: int
"""

PANORAMA_DBHOST = '127.0.0.1'
"""
:var PANORAMA_DBHOST: What it sets.
:vartype PANORAMA_DBHOST: str
"""

PANORAMA_DBPORT = '3306'
"""
:var PANORAMA_DBPORT: What it sets.
:vartype PANORAMA_DBPORT: str
"""

PANORAMA_DBUSER = 'skyline'
"""
:var PANORAMA_DBUSER: What it sets.
:vartype PANORAMA_DBUSER: str
"""

PANORAMA_DBUSERPASS = 'db-hunter2'
"""
:var PANORAMA_DBUSERPASS: What it sets.
:vartype PANORAMA_DBUSERPASS: str
"""

PANORAMA_DATABASE = 'skyline'
"""
:var PANORAMA_DATABASE: What it sets.
:vartype PANORAMA_DATABASE: str
"""

PANORAMA_INSERT_METRICS_IMMEDIATELY = False
"""
:var PANORAMA_INSERT_METRICS_IMMEDIATELY: What it sets.
:vartype PANORAMA_INSERT_METRICS_IMMEDIATELY: bool
"""

PANORAMA_NUMBER_OF_ANOMALIES_TO_STOP_ANALYSIS = 0
"""
:var PANORAMA_NUMBER_OF_ANOMALIES_TO_STOP_ANALYSIS: What it sets.
:vartype PANORAMA_NUMBER_OF_ANOMALIES_TO_STOP_ANALYSIS: int
"""

PANORAMA_CHECK_PATH = '/opt/skyline/panaroma/check'
"""
:var PANORAMA_CHECK_PATH: What it sets.
:vartype PANORAMA_CHECK_PATH: str
"""


"""
Ionosphere settings
"""

IONOSPHERE_ENABLED = True
"""
:var IONOSPHERE_ENABLED: What it sets.
:vartype IONOSPHERE_ENABLED: bool
"""

IONOSPHERE_PROCESSES = 1
"""
:var IONOSPHERE_PROCESSES: What it sets.
:vartype IONOSPHERE_PROCESSES: int
"""

IONOSPHERE_CHECK_MAX_AGE = 300
"""
:var IONOSPHERE_CHECK_MAX_AGE: What it sets.
:vartype IONOSPHERE_CHECK_MAX_AGE: int
"""

IONOSPHERE_MAX_RUNTIME = 120
"""
:var IONOSPHERE_MAX_RUNTIME: What it sets.
:vartype IONOSPHERE_MAX_RUNTIME: int
"""

IONOSPHERE_FEATURES_PERCENT_SIMILAR = 1.0
"""
:var IONOSPHERE_FEATURES_PERCENT_SIMILAR: What it sets.
:vartype IONOSPHERE_FEATURES_PERCENT_SIMILAR: float
"""

IONOSPHERE_MINMAX_SCALING_ENABLED = True
"""
:var IONOSPHERE_MINMAX_SCALING_ENABLED: What it sets.
:vartype IONOSPHERE_MINMAX_SCALING_ENABLED: bool
"""

IONOSPHERE_MINMAX_SCALING_RANGE_TOLERANCE = 0.15
"""
:var IONOSPHERE_MINMAX_SCALING_RANGE_TOLERANCE: What it sets.
:vartype IONOSPHERE_MINMAX_SCALING_RANGE_TOLERANCE: float
"""

IONOSPHERE_ECHO_ENABLED = True
"""
:var IONOSPHERE_ECHO_ENABLED: What it sets.
:vartype IONOSPHERE_ECHO_ENABLED: bool
"""

IONOSPHERE_ECHO_MAX_FP_COUNT = 200
"""
:var IONOSPHERE_ECHO_MAX_FP_COUNT: What it sets.
:vartype IONOSPHERE_ECHO_MAX_FP_COUNT: int
"""

IONOSPHERE_ECHO_FEATURES_PERCENT_SIMILAR = 2.5
"""
:var IONOSPHERE_ECHO_FEATURES_PERCENT_SIMILAR: What it sets.
:vartype IONOSPHERE_ECHO_FEATURES_PERCENT_SIMILAR: float
"""

IONOSPHERE_ECHO_MINMAX_SCALING_FEATURES_PERCENT_SIMILAR = 3.5
"""
:var IONOSPHERE_ECHO_MINMAX_SCALING_FEATURES_PERCENT_SIMILAR: What it sets.
:vartype IONOSPHERE_ECHO_MINMAX_SCALING_FEATURES_PERCENT_SIMILAR: float
"""

IONOSPHERE_LAYERS_USE_APPROXIMATELY_CLOSE = True
"""
:var IONOSPHERE_LAYERS_USE_APPROXIMATELY_CLOSE: What it sets.
:vartype IONOSPHERE_LAYERS_USE_APPROXIMATELY_CLOSE: bool
"""

IONOSPHERE_LEARN = True
"""
:var IONOSPHERE_LEARN: What it sets.
:vartype IONOSPHERE_LEARN: bool
"""

IONOSPHERE_LEARN_DEFAULT_MAX_GENERATIONS = 16
"""
:var IONOSPHERE_LEARN_DEFAULT_MAX_GENERATIONS: What it sets.
:vartype IONOSPHERE_LEARN_DEFAULT_MAX_GENERATIONS: int
"""

IONOSPHERE_LEARN_DEFAULT_MAX_PERCENT_DIFF_FROM_ORIGIN = 100.0
"""
:var IONOSPHERE_LEARN_DEFAULT_MAX_PERCENT_DIFF_FROM_ORIGIN: What it sets.
:vartype IONOSPHERE_LEARN_DEFAULT_MAX_PERCENT_DIFF_FROM_ORIGIN: float
"""

IONOSPHERE_LEARN_DEFAULT_FULL_DURATION_DAYS = 30
"""
:var IONOSPHERE_LEARN_DEFAULT_FULL_DURATION_DAYS: What it sets.
:vartype IONOSPHERE_LEARN_DEFAULT_FULL_DURATION_DAYS: int
"""

IONOSPHERE_LEARN_DEFAULT_VALID_TIMESERIES_OLDER_THAN_SECONDS = 3661
"""
:var IONOSPHERE_LEARN_DEFAULT_VALID_TIMESERIES_OLDER_THAN_SECONDS: What it sets.
:vartype IONOSPHERE_LEARN_DEFAULT_VALID_TIMESERIES_OLDER_THAN_SECONDS: int
"""

IONOSPHERE_LEARN_FOLDER = '/opt/skyline/ionosphere/learn'
"""
:var IONOSPHERE_LEARN_FOLDER: What it sets.
:vartype IONOSPHERE_LEARN_FOLDER: str
"""

IONOSPHERE_LEARN_NAMESPACE_CONFIG = ()
"""
:var IONOSPHERE_LEARN_NAMESPACE_CONFIG: What it sets.
:vartype IONOSPHERE_LEARN_NAMESPACE_CONFIG: tuple
"""

IONOSPHERE_DATA_FOLDER = '/opt/skyline/ionosphere/data'
"""
:var IONOSPHERE_DATA_FOLDER: What it sets.
:vartype IONOSPHERE_DATA_FOLDER: str
"""

IONOSPHERE_PROFILES_FOLDER = '/opt/skyline/ionosphere/features_profiles'
"""
:var IONOSPHERE_PROFILES_FOLDER: What it sets.
:vartype IONOSPHERE_PROFILES_FOLDER: str
"""

IONOSPHERE_HISTORICAL_DATA_FOLDER = '/opt/skyline/ionosphere/historical_data'
"""
:var IONOSPHERE_HISTORICAL_DATA_FOLDER: What it sets.
:vartype IONOSPHERE_HISTORICAL_DATA_FOLDER: str
"""

IONOSPHERE_KEEP_TRAINING_TIMESERIES_FOR = 259200
"""
:var IONOSPHERE_KEEP_TRAINING_TIMESERIES_FOR: What it sets.
:vartype IONOSPHERE_KEEP_TRAINING_TIMESERIES_FOR: int
"""

IONOSPHERE_MANAGE_PURGE = True
"""
:var IONOSPHERE_MANAGE_PURGE: What it sets.
:vartype IONOSPHERE_MANAGE_PURGE: bool
"""

IONOSPHERE_UNTRAINABLES = []
"""
:var IONOSPHERE_UNTRAINABLES: What it sets.
:vartype IONOSPHERE_UNTRAINABLES: list
"""

IONOSPHERE_GRAPH_ALERTS = True
"""
:var IONOSPHERE_GRAPH_ALERTS: What it sets.
:vartype IONOSPHERE_GRAPH_ALERTS: bool
"""

IONOSPHERE_INFERENCE_MOTIFS_ENABLED = True
"""
:var IONOSPHERE_INFERENCE_MOTIFS_ENABLED: What it sets.
:vartype IONOSPHERE_INFERENCE_MOTIFS_ENABLED: bool
"""

IONOSPHERE_INFERENCE_MOTIFS_SETTINGS = {}
"""
:var IONOSPHERE_INFERENCE_MOTIFS_SETTINGS: What it sets.
:vartype IONOSPHERE_INFERENCE_MOTIFS_SETTINGS: dict
"""

IONOSPHERE_INFERENCE_MOTIFS_TOP_MATCHES = 4
"""
:var IONOSPHERE_INFERENCE_MOTIFS_TOP_MATCHES: What it sets.
:vartype IONOSPHERE_INFERENCE_MOTIFS_TOP_MATCHES: int
"""

IONOSPHERE_INFERENCE_MASS_TS_MAX_DISTANCE = 20
"""
:var IONOSPHERE_INFERENCE_MASS_TS_MAX_DISTANCE: What it sets.
:vartype IONOSPHERE_INFERENCE_MASS_TS_MAX_DISTANCE: int
"""

IONOSPHERE_FIND_REPETITIVE_PATTERNS = False
"""
:var IONOSPHERE_FIND_REPETITIVE_PATTERNS: What it sets.
:vartype IONOSPHERE_FIND_REPETITIVE_PATTERNS: bool
"""

IONOSPHERE_FIND_REPETITIVE_PATTERNS_TIMEOUT = 50
"""
:var IONOSPHERE_FIND_REPETITIVE_PATTERNS_TIMEOUT: What it sets.
:vartype IONOSPHERE_FIND_REPETITIVE_PATTERNS_TIMEOUT: int
"""

IONOSPHERE_GET_SHARED_FOLDER_TIMEOUT = 5
"""
:var IONOSPHERE_GET_SHARED_FOLDER_TIMEOUT: What it sets.
:vartype IONOSPHERE_GET_SHARED_FOLDER_TIMEOUT: int
"""

IONOSPHERE_ALLOW_MAX_CHECKS = 20
"""
:var IONOSPHERE_ALLOW_MAX_CHECKS: What it sets.
:vartype IONOSPHERE_ALLOW_MAX_CHECKS: int
"""

IONOSPHERE_ENABLE_DEBUG = False
"""
:var IONOSPHERE_ENABLE_DEBUG: What it sets.
:vartype IONOSPHERE_ENABLE_DEBUG: bool
"""

IONOSPHERE_VERBOSE_LOGGING = True
"""
:var IONOSPHERE_VERBOSE_LOGGING: What it sets.
:vartype IONOSPHERE_VERBOSE_LOGGING: bool
"""

IONOSPHERE_CUSTOM_KEEP_TRAINING_TIMESERIES_FOR = ()
"""
:var IONOSPHERE_CUSTOM_KEEP_TRAINING_TIMESERIES_FOR: What it sets.
:vartype IONOSPHERE_CUSTOM_KEEP_TRAINING_TIMESERIES_FOR: tuple
"""

IONOSPHERE_ARRAY = 0
"""
:var IONOSPHERE_ARRAY: What it sets.
:vartype IONOSPHERE_ARRAY: int
"""

IONOSPHERE_CHECK_PATH = '/opt/skyline/ionosphere/check'
"""
:var IONOSPHERE_CHECK_PATH: What it sets.
:vartype IONOSPHERE_CHECK_PATH: str
"""


"""
Luminosity settings
"""

LUMINOSITY_PROCESSES = 1
"""
:var LUMINOSITY_PROCESSES: What it sets.
:vartype LUMINOSITY_PROCESSES: int
"""

LUMINOSITY_ENABLED = True
"""
:var LUMINOSITY_ENABLED: What it sets.
:vartype LUMINOSITY_ENABLED: bool
"""

LUMINOSITY_DATA_FOLDER = '/opt/skyline/luminosity'
"""
:var LUMINOSITY_DATA_FOLDER: What it sets.
:vartype LUMINOSITY_DATA_FOLDER: str
"""

LUMINOSITY_CORRELATE_ALERTS_ONLY = True
"""
:var LUMINOSITY_CORRELATE_ALERTS_ONLY: What it sets.
:vartype LUMINOSITY_CORRELATE_ALERTS_ONLY: bool
"""

LUMINOSITY_RELATED_TIME_PERIOD = 240
"""
:var LUMINOSITY_RELATED_TIME_PERIOD: What it sets.
:vartype LUMINOSITY_RELATED_TIME_PERIOD: int
"""

LUMINOSITY_CORRELATE_ALL = True
"""
:var LUMINOSITY_CORRELATE_ALL: What it sets.
:vartype LUMINOSITY_CORRELATE_ALL: bool
"""

LUMINOSITY_CORRELATE_NAMESPACES_ONLY = []
"""
:var LUMINOSITY_CORRELATE_NAMESPACES_ONLY: What it sets.
:vartype LUMINOSITY_CORRELATE_NAMESPACES_ONLY: list
"""

LUMINOSITY_CORRELATION_MAPS = {}
"""
:var LUMINOSITY_CORRELATION_MAPS: What it sets.
:vartype LUMINOSITY_CORRELATION_MAPS: dict
"""

LUMINOSITY_CLASSIFY_ANOMALIES = False
"""
:var LUMINOSITY_CLASSIFY_ANOMALIES: What it sets.
:vartype LUMINOSITY_CLASSIFY_ANOMALIES: bool
"""

LUMINOSITY_CLASSIFY_ANOMALIES_SAVE_PLOTS = False
"""
:var LUMINOSITY_CLASSIFY_ANOMALIES_SAVE_PLOTS: What it sets.
:vartype LUMINOSITY_CLASSIFY_ANOMALIES_SAVE_PLOTS: bool
"""

LUMINOSITY_CLASSIFY_ANOMALIES_PROCESSES = 1
"""
:var LUMINOSITY_CLASSIFY_ANOMALIES_PROCESSES: What it sets.
:vartype LUMINOSITY_CLASSIFY_ANOMALIES_PROCESSES: int
"""

LUMINOSITY_CLOUDBURST_ENABLED = False
"""
:var LUMINOSITY_CLOUDBURST_ENABLED: What it sets.
:vartype LUMINOSITY_CLOUDBURST_ENABLED: bool
"""

LUMINOSITY_CLOUDBURST_PROCESSES = 2
"""
:var LUMINOSITY_CLOUDBURST_PROCESSES: What it sets.
:vartype LUMINOSITY_CLOUDBURST_PROCESSES: int
"""

LUMINOSITY_CLOUDBURST_RUN_EVERY = 900
"""
:var LUMINOSITY_CLOUDBURST_RUN_EVERY: What it sets.
:vartype LUMINOSITY_CLOUDBURST_RUN_EVERY: int
"""

LUMINOSITY_CLOUDBURST_SKIP_METRICS = {}
"""
:var LUMINOSITY_CLOUDBURST_SKIP_METRICS: What it sets.
:vartype LUMINOSITY_CLOUDBURST_SKIP_METRICS: dict
"""

LUMINOSITY_RELATED_METRICS = True
"""
:var LUMINOSITY_RELATED_METRICS: What it sets.
:vartype LUMINOSITY_RELATED_METRICS: bool
"""

LUMINOSITY_RELATED_METRICS_MAX_5MIN_LOADAVG = 3
"""
:var LUMINOSITY_RELATED_METRICS_MAX_5MIN_LOADAVG: What it sets.
:vartype LUMINOSITY_RELATED_METRICS_MAX_5MIN_LOADAVG: int
"""

LUMINOSITY_RELATED_METRICS_MINIMUM_CORRELATIONS_COUNT = 3
"""
:var LUMINOSITY_RELATED_METRICS_MINIMUM_CORRELATIONS_COUNT: What it sets.
:vartype LUMINOSITY_RELATED_METRICS_MINIMUM_CORRELATIONS_COUNT: int
"""

LUMINOSITY_RELATED_METRICS_MINIMUM_CORRELATION = 0.9
"""
:var LUMINOSITY_RELATED_METRICS_MINIMUM_CORRELATION: What it sets.
:vartype LUMINOSITY_RELATED_METRICS_MINIMUM_CORRELATION: float
"""


"""
Flux settings
"""

FLUX_IP = '127.0.0.1'
"""
:var FLUX_IP: What it sets.
:vartype FLUX_IP: str
"""

FLUX_PORT = 8000
"""
:var FLUX_PORT: What it sets.
:vartype FLUX_PORT: int
"""

FLUX_WORKERS = 1
"""
:var FLUX_WORKERS: What it sets.
:vartype FLUX_WORKERS: int
"""

FLUX_VERBOSE_LOGGING = True
"""
:var FLUX_VERBOSE_LOGGING: What it sets.
:vartype FLUX_VERBOSE_LOGGING: bool
"""

FLUX_SELF_API_KEY = 'flux-hunter2'
"""
:var FLUX_SELF_API_KEY: What it sets.
:vartype FLUX_SELF_API_KEY: str
"""

FLUX_API_KEYS = {}
"""
:var FLUX_API_KEYS: What it sets.
:vartype FLUX_API_KEYS: dict
"""

FLUX_MAX_AGE = 3600
"""
:var FLUX_MAX_AGE: What it sets.
:vartype FLUX_MAX_AGE: int
"""

FLUX_PERSIST_QUEUE = False
"""
:var FLUX_PERSIST_QUEUE: What it sets.
:vartype FLUX_PERSIST_QUEUE: bool
"""

FLUX_CHECK_LAST_TIMESTAMP = True
"""
:var FLUX_CHECK_LAST_TIMESTAMP: What it sets.
:vartype FLUX_CHECK_LAST_TIMESTAMP: bool
"""

FLUX_SEND_TO_CARBON = True
"""
:var FLUX_SEND_TO_CARBON: What it sets.
:vartype FLUX_SEND_TO_CARBON: bool
"""

FLUX_CARBON_HOST = GRAPHITE_HOST
"""
:var FLUX_CARBON_HOST: What it sets.
:vartype FLUX_CARBON_HOST: str
"""

FLUX_CARBON_PORT = 2003
"""
:var FLUX_CARBON_PORT: What it sets.
:vartype FLUX_CARBON_PORT: int
"""

FLUX_CARBON_PICKLE_PORT = 2004
"""
:var FLUX_CARBON_PICKLE_PORT: What it sets.
:vartype FLUX_CARBON_PICKLE_PORT: int
"""

FLUX_SEND_TO_STATSD = False
"""
:var FLUX_SEND_TO_STATSD: What it sets.
:vartype FLUX_SEND_TO_STATSD: bool
"""

FLUX_STATSD_HOST = None
"""
:var FLUX_STATSD_HOST: What it sets.
:vartype FLUX_STATSD_HOST: NoneType
"""

FLUX_STATSD_PORT = 8125
"""
:var FLUX_STATSD_PORT: What it sets.
:vartype FLUX_STATSD_PORT: int
"""

FLUX_PROCESS_UPLOADS = False
"""
:var FLUX_PROCESS_UPLOADS: What it sets.
:vartype FLUX_PROCESS_UPLOADS: bool
"""

FLUX_SAVE_UPLOADS = False
"""
:var FLUX_SAVE_UPLOADS: What it sets.
:vartype FLUX_SAVE_UPLOADS: bool
"""

FLUX_SAVE_UPLOADS_PATH = '/opt/skyline/flux/processed_uploads'
"""
:var FLUX_SAVE_UPLOADS_PATH: What it sets.
:vartype FLUX_SAVE_UPLOADS_PATH: str
"""

FLUX_UPLOADS_KEYS = {}
"""
:var FLUX_UPLOADS_KEYS: What it sets.
:vartype FLUX_UPLOADS_KEYS: dict
"""

FLUX_OTEL_ENABLED = False
"""
:var FLUX_OTEL_ENABLED: What it sets.
:vartype FLUX_OTEL_ENABLED: bool
"""

FLUX_AGGREGATE_NAMESPACES = {}
"""
:var FLUX_AGGREGATE_NAMESPACES: What it sets.
:vartype FLUX_AGGREGATE_NAMESPACES: dict
"""

FLUX_EXTERNAL_AGGREGATE_NAMESPACES = False
"""
:var FLUX_EXTERNAL_AGGREGATE_NAMESPACES: What it sets.
:vartype FLUX_EXTERNAL_AGGREGATE_NAMESPACES: bool
"""

FLUX_NAMESPACE_QUOTAS = {}
"""
:var FLUX_NAMESPACE_QUOTAS: What it sets.
:vartype FLUX_NAMESPACE_QUOTAS: dict
"""

FLUX_DROP_TAGGED = False
"""
:var FLUX_DROP_TAGGED: What it sets.
:vartype FLUX_DROP_TAGGED: bool
"""


"""
Vista settings
"""

VISTA_ENABLED = False
"""
:var VISTA_ENABLED: What it sets.
:vartype VISTA_ENABLED: bool
"""

VISTA_VERBOSE_LOGGING = False
"""
:var VISTA_VERBOSE_LOGGING: What it sets.
:vartype VISTA_VERBOSE_LOGGING: bool
"""

VISTA_FETCHER_PROCESSES = 1
"""
:var VISTA_FETCHER_PROCESSES: What it sets.
:vartype VISTA_FETCHER_PROCESSES: int
"""

VISTA_FETCHER_PROCESS_MAX_RUNTIME = 50
"""
:var VISTA_FETCHER_PROCESS_MAX_RUNTIME: What it sets.
:vartype VISTA_FETCHER_PROCESS_MAX_RUNTIME: int
"""

VISTA_WORKER_PROCESSES = 1
"""
:var VISTA_WORKER_PROCESSES: What it sets.
:vartype VISTA_WORKER_PROCESSES: int
"""

VISTA_DO_NOT_SUBMIT_CURRENT_MINUTE = True
"""
:var VISTA_DO_NOT_SUBMIT_CURRENT_MINUTE: What it sets.
:vartype VISTA_DO_NOT_SUBMIT_CURRENT_MINUTE: bool
"""

VISTA_FETCH_METRICS = ()
"""
:var VISTA_FETCH_METRICS: What it sets.
:vartype VISTA_FETCH_METRICS: tuple
"""

VISTA_GRAPHITE_BATCH_SIZE = 20
"""
:var VISTA_GRAPHITE_BATCH_SIZE: What it sets.
:vartype VISTA_GRAPHITE_BATCH_SIZE: int
"""

VISTA_TEMPDIR = None
"""
:var VISTA_TEMPDIR: What it sets.
:vartype VISTA_TEMPDIR: NoneType
"""


"""
SNAB settings
"""

SNAB_ENABLED = False
"""
:var SNAB_ENABLED: What it sets.
:vartype SNAB_ENABLED: bool
"""

SNAB_DATA_DIR = '/opt/skyline/SNAB'
"""
:var SNAB_DATA_DIR: What it sets.
:vartype SNAB_DATA_DIR: str
"""

SNAB_CHECKS = {}
"""
:var SNAB_CHECKS: What it sets.
:vartype SNAB_CHECKS: dict
"""

SNAB_LOAD_TEST_ANALYZER = 0
"""
:var SNAB_LOAD_TEST_ANALYZER: What it sets.
:vartype SNAB_LOAD_TEST_ANALYZER: int
"""

SNAB_FLUX_LOAD_TEST_ENABLED = False
"""
:var SNAB_FLUX_LOAD_TEST_ENABLED: What it sets.
:vartype SNAB_FLUX_LOAD_TEST_ENABLED: bool
"""

SNAB_FLUX_LOAD_TEST_METRICS = 0
"""
:var SNAB_FLUX_LOAD_TEST_METRICS: What it sets.
:vartype SNAB_FLUX_LOAD_TEST_METRICS: int
"""

SNAB_FLUX_LOAD_TEST_METRICS_PER_POST = 480
"""
:var SNAB_FLUX_LOAD_TEST_METRICS_PER_POST: What it sets.
:vartype SNAB_FLUX_LOAD_TEST_METRICS_PER_POST: int
"""

SNAB_FLUX_LOAD_TEST_NAMESPACE_PREFIX = 'skyline.snab.flux_load_test'
"""
:var SNAB_FLUX_LOAD_TEST_NAMESPACE_PREFIX: What it sets.
:vartype SNAB_FLUX_LOAD_TEST_NAMESPACE_PREFIX: str
"""


"""
Crucible settings
"""

CRUCIBLE_PROCESSES = 1
"""
:var CRUCIBLE_PROCESSES: What it sets.
:vartype CRUCIBLE_PROCESSES: int
"""

CRUCIBLE_TESTS_TIMEOUT = 60
"""
:var CRUCIBLE_TESTS_TIMEOUT: What it sets.
:vartype CRUCIBLE_TESTS_TIMEOUT: int
"""

CRUCIBLE_CHECK_PATH = '/opt/skyline/crucible/check'
"""
:var CRUCIBLE_CHECK_PATH: What it sets.
:vartype CRUCIBLE_CHECK_PATH: str
"""

CRUCIBLE_DATA_FOLDER = '/opt/skyline/crucible/data'
"""
:var CRUCIBLE_DATA_FOLDER: What it sets.
:vartype CRUCIBLE_DATA_FOLDER: str
"""

CRUCIBLE_CHECK_MAX_AGE = 0
"""
:var CRUCIBLE_CHECK_MAX_AGE: What it sets.
:vartype CRUCIBLE_CHECK_MAX_AGE: int
"""


"""
Vortex settings
"""

VORTEX_ALGORITHMS_FOLDER = '/opt/skyline/vortex'
"""
:var VORTEX_ALGORITHMS_FOLDER: What it sets.
:vartype VORTEX_ALGORITHMS_FOLDER: str
"""

VORTEX_TIMESERIES_JSON_TO_DISK = False
"""
:var VORTEX_TIMESERIES_JSON_TO_DISK: What it sets.
:vartype VORTEX_TIMESERIES_JSON_TO_DISK: bool
"""

VORTEX_DATA_FOLDER = '/opt/skyline/vortex/data'
"""
:var VORTEX_DATA_FOLDER: What it sets.
:vartype VORTEX_DATA_FOLDER: str
"""


"""
Prometheus settings
"""

PROMETHEUS_INGESTION = False
"""
:var PROMETHEUS_INGESTION: What it sets.
:vartype PROMETHEUS_INGESTION: bool
"""

PROMETHEUS_SETTINGS = {}
"""
:var PROMETHEUS_SETTINGS: What it sets.
:vartype PROMETHEUS_SETTINGS: dict
"""


"""
Others settings
"""

LOCAL_EXTERNAL_STORE = True
"""
:var LOCAL_EXTERNAL_STORE: What it sets.
:vartype LOCAL_EXTERNAL_STORE: bool
"""

WEBAPP_PROMETHEUS_DROP = []
"""
:var WEBAPP_PROMETHEUS_DROP: What it sets.
:vartype WEBAPP_PROMETHEUS_DROP: list
"""

KNOWN_NEGATIVE_METRICS = []
"""
:var KNOWN_NEGATIVE_METRICS: What it sets.
:vartype KNOWN_NEGATIVE_METRICS: list
"""

NUMBER_OF_ANOMALIES_TO_STOP_ANALYSIS = 0
"""
:var NUMBER_OF_ANOMALIES_TO_STOP_ANALYSIS: What it sets.
:vartype NUMBER_OF_ANOMALIES_TO_STOP_ANALYSIS: int
"""

SHOP_OWN_SWITCH = 'on'
"""
:var SHOP_OWN_SWITCH: What it sets.
:vartype SHOP_OWN_SWITCH: str
"""


"""
Docker settings
"""

DOCKER = False
"""
:var DOCKER: What it sets.
:vartype DOCKER: bool
"""

DOCKER_DISPLAY_REDIS_HOST = 'redis'
"""
:var DOCKER_DISPLAY_REDIS_HOST: What it sets.
:vartype DOCKER_DISPLAY_REDIS_HOST: str
"""

DOCKER_FAKE_EMAIL_ALERTS = False
"""
:var DOCKER_FAKE_EMAIL_ALERTS: What it sets.
:vartype DOCKER_FAKE_EMAIL_ALERTS: bool
"""


"""
Webapp features settings
"""

WEBAPP_GRAPH_WIDTH = 1200
"""
:var WEBAPP_GRAPH_WIDTH: What it sets.
:vartype WEBAPP_GRAPH_WIDTH: int
"""

WEBAPP_DEFAULT_ROWS = 50
"""
:var WEBAPP_DEFAULT_ROWS: What it sets.
:vartype WEBAPP_DEFAULT_ROWS: int
"""

WEBAPP_TOP_ANOMALIES = 20
"""
:var WEBAPP_TOP_ANOMALIES: What it sets.
:vartype WEBAPP_TOP_ANOMALIES: int
"""

WEBAPP_CACHE_SECONDS = 60
"""
:var WEBAPP_CACHE_SECONDS: What it sets.
:vartype WEBAPP_CACHE_SECONDS: int
"""

WEBAPP_SHOW_STALE = True
"""
:var WEBAPP_SHOW_STALE: What it sets.
:vartype WEBAPP_SHOW_STALE: bool
"""

WEBAPP_SHOW_SPARSE = True
"""
:var WEBAPP_SHOW_SPARSE: What it sets.
:vartype WEBAPP_SHOW_SPARSE: bool
"""

WEBAPP_EXPORT_ENABLED = False
"""
:var WEBAPP_EXPORT_ENABLED: What it sets.
:vartype WEBAPP_EXPORT_ENABLED: bool
"""

WEBAPP_EXPORT_ROWS = 1000
"""
:var WEBAPP_EXPORT_ROWS: What it sets.
:vartype WEBAPP_EXPORT_ROWS: int
"""

WEBAPP_REBROW_ENABLED = True
"""
:var WEBAPP_REBROW_ENABLED: What it sets.
:vartype WEBAPP_REBROW_ENABLED: bool
"""

WEBAPP_PANORAMA_ROWS = 20
"""
:var WEBAPP_PANORAMA_ROWS: What it sets.
:vartype WEBAPP_PANORAMA_ROWS: int
"""


"""
Slack features settings
"""

SLACK_RETRIES = 3
"""
:var SLACK_RETRIES: What it sets.
:vartype SLACK_RETRIES: int
"""

SLACK_TIMEOUT = 10
"""
:var SLACK_TIMEOUT: What it sets.
:vartype SLACK_TIMEOUT: int
"""

SLACK_LINK_NAMES = False
"""
:var SLACK_LINK_NAMES: What it sets.
:vartype SLACK_LINK_NAMES: bool
"""

SLACK_UNFURL = False
"""
:var SLACK_UNFURL: What it sets.
:vartype SLACK_UNFURL: bool
"""


"""
Roomba features settings
"""

ROOMBA_BATCH_METRICS_CUSTOM_DURATIONS = []
"""
:var ROOMBA_BATCH_METRICS_CUSTOM_DURATIONS: What it sets.
:vartype ROOMBA_BATCH_METRICS_CUSTOM_DURATIONS: list
"""

ROOMBA_SLEEP = 10
"""
:var ROOMBA_SLEEP: What it sets.
:vartype ROOMBA_SLEEP: int
"""

ROOMBA_SORT_FIRST = True
"""
:var ROOMBA_SORT_FIRST: What it sets.
:vartype ROOMBA_SORT_FIRST: bool
"""


"""
Horizon features settings
"""

HORIZON_REPORT_EVERY = 10
"""
:var HORIZON_REPORT_EVERY: What it sets.
:vartype HORIZON_REPORT_EVERY: int
"""

HORIZON_CANARY_INTERVAL = 60
"""
:var HORIZON_CANARY_INTERVAL: What it sets.
:vartype HORIZON_CANARY_INTERVAL: int
"""

HORIZON_DEBUG = False
"""
:var HORIZON_DEBUG: What it sets.
:vartype HORIZON_DEBUG: bool
"""

HORIZON_IGNORE_UNICODE = False
"""
:var HORIZON_IGNORE_UNICODE: What it sets.
:vartype HORIZON_IGNORE_UNICODE: bool
"""

HORIZON_SHARD_HOSTS = []
"""
:var HORIZON_SHARD_HOSTS: What it sets.
:vartype HORIZON_SHARD_HOSTS: list
"""


"""
Analyzer features settings
"""

ANALYZER_ENABLED = True
"""
:var ANALYZER_ENABLED: What it sets.
:vartype ANALYZER_ENABLED: bool
"""

ANALYZER_DEBUG = False
"""
:var ANALYZER_DEBUG: What it sets.
:vartype ANALYZER_DEBUG: bool
"""

ANALYZER_BATCH_ENABLED = False
"""
:var ANALYZER_BATCH_ENABLED: What it sets.
:vartype ANALYZER_BATCH_ENABLED: bool
"""

ANALYZER_BATCH_DEBUG = False
"""
:var ANALYZER_BATCH_DEBUG: What it sets.
:vartype ANALYZER_BATCH_DEBUG: bool
"""

ANALYZER_LABELLED_PROCESSES = 1
"""
:var ANALYZER_LABELLED_PROCESSES: What it sets.
:vartype ANALYZER_LABELLED_PROCESSES: int
"""

ANALYZER_REPORT_SLOW = 10
"""
:var ANALYZER_REPORT_SLOW: What it sets.
:vartype ANALYZER_REPORT_SLOW: int
"""

ANALYZER_SEND_METRICS = True
"""
:var ANALYZER_SEND_METRICS: What it sets.
:vartype ANALYZER_SEND_METRICS: bool
"""

ANALYZER_REPEAT_TESTS = True
"""
:var ANALYZER_REPEAT_TESTS: What it sets.
:vartype ANALYZER_REPEAT_TESTS: bool
"""


"""
Graphite features settings
"""

GRAPHITE_RETRIES = 3
"""
:var GRAPHITE_RETRIES: What it sets.
:vartype GRAPHITE_RETRIES: int
"""

GRAPHITE_CACHE_SECONDS = 60
"""
:var GRAPHITE_CACHE_SECONDS: What it sets.
:vartype GRAPHITE_CACHE_SECONDS: int
"""

GRAPHITE_FONT = 'Sans'
"""
:var GRAPHITE_FONT: What it sets.
:vartype GRAPHITE_FONT: str
"""

GRAPHITE_TIMEZONE = 'UTC'
"""
:var GRAPHITE_TIMEZONE: What it sets.
:vartype GRAPHITE_TIMEZONE: str
"""

GRAPHITE_MAX_POINTS = 10080
"""
:var GRAPHITE_MAX_POINTS: What it sets.
:vartype GRAPHITE_MAX_POINTS: int
"""


"""
Thunder features settings
"""

THUNDER_CHECK_INTERVAL = 60
"""
:var THUNDER_CHECK_INTERVAL: What it sets.
:vartype THUNDER_CHECK_INTERVAL: int
"""

THUNDER_EXPIRY = 900
"""
:var THUNDER_EXPIRY: What it sets.
:vartype THUNDER_EXPIRY: int
"""

THUNDER_DEBUG = False
"""
:var THUNDER_DEBUG: What it sets.
:vartype THUNDER_DEBUG: bool
"""

THUNDER_NO_DATA_NAMESPACES = []
"""
:var THUNDER_NO_DATA_NAMESPACES: What it sets.
:vartype THUNDER_NO_DATA_NAMESPACES: list
"""


"""
Boundary features settings
"""

BOUNDARY_DEBUG = False
"""
:var BOUNDARY_DEBUG: What it sets.
:vartype BOUNDARY_DEBUG: bool
"""

BOUNDARY_SEEN_EXPIRY = 120
"""
:var BOUNDARY_SEEN_EXPIRY: What it sets.
:vartype BOUNDARY_SEEN_EXPIRY: int
"""

BOUNDARY_REPORT_SLOW = 10
"""
:var BOUNDARY_REPORT_SLOW: What it sets.
:vartype BOUNDARY_REPORT_SLOW: int
"""

