"""The checklist of the stand-ins: what a client must be able to rely on, row by row, and the tests that show it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ADAPTERS = Path(__file__).parents[1] / "adapters"

BUSINESS_CENTRAL = {
    "token endpoint": ["a_token_is_a_bearer_for_an_hour", "token_requests_fail_with_the_platforms_errors"],
    "addresses online, with and without the tenant": ["the_tenant_may_stand_in_the_address_or_not"],
    "addresses on premises, with the tenant as a parameter": [
        "the_api_lives_under_the_instance",
        "a_multitenant_server_wants_the_tenant_with_every_request",
    ],
    "custom API route": ["the_customers_page_is_absent_until_it_is_installed", "dimension_and_code_are_the_unique_key"],
    "page services over OData V4": [
        "every_field_name_of_every_page_follows_the_naming_rules",
        "lines_are_a_navigation_and_a_set_of_the_same_name",
        "only_what_is_published_exists",
        "one_broken_related_record_makes_the_whole_list_fail",
    ],
    "page services over SOAP, with a WSDL": [
        "every_contract_is_read_by_a_strict_soap_library",
        "pages_follow_each_other_by_bookmark_until_the_list_is_empty",
        "a_stale_key_changes_nothing",
        "a_dangerous_or_broken_message_is_left_unread",
    ],
    "finance and analytics APIs": [
        "finance_shows_type_block_and_global_number_of_dimension_values",
        "purchase_lines_have_no_ids_no_etags_and_no_stamps",
    ],
    "encodings: enums, blanks, fractions, numbers": [
        "enum_members_are_encoded_as_xml_names",
        "blanks_are_null_ids_first_days_and_escaped_spaces",
        "zeros_at_the_end_of_a_fraction_are_cut",
        "no_number_loses_a_digit",
    ],
    "ETags, headers, error bodies": [
        "etags_have_the_live_format_and_change_with_the_record",
        "answers_carry_the_services_headers",
        "what_is_not_there_is_refused_in_the_services_words",
    ],
    "If-Match rules": ["a_change_needs_the_present_etag", "stale_tokens_are_found_within_a_batch"],
    "read-only sets": ["read_only_sets_allow_no_other_verb"],
    "lines need their document": ["lines_are_read_by_document_or_by_id"],
    "or over one field only": ["or_over_two_fields_is_refused", "many_ids_are_read_by_or"],
    "paging by skip token, Prefer and $top": [
        "a_page_ends_with_a_next_link_that_is_followed_as_it_is",
        "top_beyond_a_page_is_continued_with_what_is_left",
        "larger_pages_are_clamped_or_refused",
    ],
    "stamps that do not move on line edits": [
        "some_edits_do_not_move_the_headers_stamp",
        "with_ideal_stamps_every_edit_moves_it",
    ],
    "reads by a writing user that change records": ["reading_as_a_writing_user_changes_discounted_orders"],
    "late commits, blank stamps, lagging replica": [
        "a_late_commit_appears_behind_the_watermark",
        "a_row_untouched_since_the_upgrade_has_the_blank_stamp",
        "a_lagging_replica_shows_changes_later",
    ],
    "posting: vanishing orders, stable invoice ids": [
        "a_fully_received_and_invoiced_order_disappears",
        "a_posted_draft_keeps_its_id_and_gets_another_number",
        "receive_and_invoice_is_answered_204_and_the_order_is_gone",
    ],
    "throttling: five at a time, queue, 6,000 in five minutes": [
        "five_are_worked_on_and_the_rest_waits",
        "the_hundred_and_first_connection_is_refused",
        "six_thousand_are_the_documented_number",
        "whether_429_says_when_to_come_again_is_not_established",
    ],
    "webhooks: handshake at creation and renewal": ["the_receiver_is_asked_to_repeat_a_token", "it_lives_three_days"],
    "webhooks: delay, merging, collection": [
        "a_job_runs_thirty_seconds_after_the_first_change",
        "consecutive_updates_of_one_record_become_one_with_the_latest_stamp",
        "more_than_a_thousand_become_a_collection_with_a_filter",
    ],
    "webhooks: retry ladder, deletion after a wrong answer": [
        "the_retries_follow_a_ladder_to_the_end_of_the_subscription",
        "a_wrong_answer_costs_the_subscription_and_what_is_pending",
    ],
    "webhooks: lost, doubled, late, disordered, forged": [
        "a_notification_can_be_lost_without_anybody_noticing",
        "a_notification_can_arrive_twice",
        "a_notification_can_arrive_hours_later",
        "notifications_can_arrive_in_the_wrong_order",
        "anyone_can_forge_a_notification",
    ],
    "$metadata, $count, $batch, $schemaversion": [
        "every_entity_is_described_as_it_is_answered",
        "a_count_comes_with_the_rows_or_alone",
        "a_hundred_operations_are_the_most",
    ],
    "a dangling dimension fails its whole page": ["one_dangling_dimension_fails_the_whole_page"],
    "a second language for error texts": ["a_refusal_keeps_status_and_code_and_changes_its_words"],
    "faults by name on both mounts": [
        "a_named_business_central_fault_is_an_odata_error",
        "a_named_business_central_fault_cuts_the_connection",
        "a_scenario_gives_the_same_faults_on_both_mounts",
        "a_named_fault_meets_the_next_notification",
    ],
    "independent clients, unmodified": [
        "a_client_made_for_the_real_service_reads_everything",
        "the_generated_client_reads_purchase_invoices_with_lines",
        "a_generic_client_understands_the_metadata",
        "the_nav_package_reads_orders_with_their_lines",
    ],
    "what is not established is a switch": ["every_switch_is_tested_somewhere"],
}

SERVICENOW = {
    "strings everywhere, three display shapes, reference links": [
        "every_value_is_a_string_and_system_columns_are_always_there",
        "each_display_value_setting_has_its_own_shape",
        "dotted_fields_keep_their_path_as_key_and_unknown_ones_are_ignored",
    ],
    "encoded queries, dropped clauses and their property": [
        "any_combination_of_and_or_and_new_query_means_what_it_says",
        "a_clause_that_makes_no_sense_is_dropped_and_the_whole_table_comes_back",
        "a_property_turns_a_senseless_clause_into_no_rows",
        "terms_about_other_rows",
    ],
    "counts, links, version 1": [
        "a_list_is_cut_into_pages_that_link_to_each_other",
        "count_and_links_can_be_left_out",
        "an_empty_list_is_a_200_but_a_404_in_version_one",
    ],
    "sys_id of the client's own": ["a_sys_id_of_the_clients_own_is_kept_and_never_made_twice"],
    "error bodies": ["an_unknown_table_is_a_400", "missing_or_wrong_credentials_are_a_401"],
    "Import Set API: coalesce, choice action, empty values, outcomes inside 201": [
        "a_known_key_updates_whatever_its_case",
        "the_same_row_again_is_ignored_and_writes_nothing_to_the_target",
        "a_row_without_a_mandatory_value_is_an_error_that_names_the_label",
        "a_rejecting_look_up_that_finds_nothing_is_an_error",
        "a_creating_look_up_makes_the_record",
        "empty_values_do_not_overwrite_unless_the_map_says_so_and_the_word_null_clears",
        "a_value_longer_than_its_staging_column_is_cut_without_a_word",
    ],
    "insertMultiple: labels, asynchronous workers, run_after, read-back, retention": [
        "keys_are_column_labels",
        "two_workers_take_the_blocks_in_order_and_two_at_a_time",
        "run_after_holds_a_set_back_until_the_other_is_processed",
        "rows_read_back_by_their_import_set_tell_what_became_of_each",
        "the_daily_job_removes_rows_and_sets_older_than_seven_days",
    ],
    "batch: ids, statuses, time budget, unserviced items": [
        "items_run_in_order_each_with_its_own_outcome",
        "what_does_not_fit_into_thirty_seconds_is_listed_as_unserviced",
        "a_batch_ends_at_the_item_the_rule_chooses",
    ],
    "OAuth, Basic, API key": [
        "client_credentials_run_as_the_application_user",
        "the_same_token_comes_back_with_less_time_until_it_expires",
        "an_api_key_needs_a_policy_for_the_api_and_its_method",
    ],
    "roles with inheritance, unreadable role tables": [
        "contained_roles_are_rows_of_their_own_that_name_their_container",
        "an_unreadable_role_table_leaves_the_role_column_empty",
    ],
    "dictionary tables that agree with the behaviour": [
        "every_record_has_exactly_the_columns_the_dictionary_lists",
        "the_coalesce_keys_of_a_staging_table_are_readable",
    ],
    "Source-to-Pay tables and an instance without them": [
        "each_staging_table_has_the_map_the_vendor_names",
        "an_instance_without_the_add_on_has_the_base_procurement_tables_only",
    ],
    "AP Invoice API with its log and rate rule": [
        "a_batch_is_taken_with_an_id_and_nothing_has_happened_yet",
        "the_log_tells_which_invoice_failed_and_why",
        "ten_calls_an_hour_are_the_shipped_limit_and_the_rule_row_moves_it",
    ],
    "attachments and aggregates": [
        "a_raw_upload_is_answered_with_the_metadata_all_strings",
        "groups_carry_the_columns_they_are_grouped_by",
    ],
    "ACL-filtered pages and stripped fields": [
        "hidden_rows_shorten_a_page_and_leave_the_total",
        "a_column_rule_strips_the_field_on_read_and_drops_it_silently_on_write",
    ],
    "data policies and business rules": [
        "a_data_policy_names_the_labels_of_all_missing_fields",
        "an_aborting_rule_refuses_with_its_name",
    ],
    "rate rules with headers, semaphores without": [
        "every_matched_call_carries_the_headers_and_the_one_too_many_is_refused",
        "the_fifth_request_waits_and_the_fifty_fifth_is_turned_away",
    ],
    "sessions that serialise and drop": [
        "requests_of_one_session_run_one_at_a_time_and_those_of_two_do_not",
        "the_twelfth_request_on_a_busy_session_is_a_202_that_never_ran",
    ],
    "cancelled transactions in both forms": [
        "an_import_beyond_the_limit_is_cancelled_before_or_after_it_took_effect",
        "a_cancelled_list_may_break_off_in_a_record_with_the_error_behind_it",
    ],
    "hibernation, maintenance, login pages": ["an_instance_that_is_away_answers_every_api_with_a_page"],
    "staging jobs and calculated order state": [
        "a_line_before_its_order_is_transformed_again_by_the_retry_job",
        "the_state_of_an_order_follows_its_lines_and_their_receipts",
    ],
    "dropped choices, emptied references": ["values_that_do_not_fit_vanish_without_a_word"],
    "faults by name on both mounts": [
        "a_named_servicenow_fault_meets_a_write_once",
        "a_named_servicenow_fault_cuts_the_connection",
        "import_faults_leave_the_staging_row_in_the_state_they_claim",
        "every_fault_has_a_meaning_and_can_be_sent_to_a_served_simulator",
    ],
    "independent clients, unmodified": [
        "it_updates_many_records_through_the_batch_api",
        "pysnc_attaches_lists_reads_and_deletes_files",
        "it_joins_a_table_by_another_ones_reference",
        "it_inserts_updates_and_deletes",
    ],
}

ROWS = [
    (system, row, tests)
    for system, checklist in (("Business Central", BUSINESS_CENTRAL), ("ServiceNow", SERVICENOW))
    for row, tests in checklist.items()
]


@cache
def written_tests() -> frozenset[str]:
    names: set[str] = set()
    for path in ADAPTERS.glob("test_*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return frozenset(names)


@pytest.mark.parametrize(("system", "row", "tests"), ROWS, ids=[f"{system}: {row}" for system, row, _ in ROWS])
def test_each_row_of_the_checklist_has_its_tests(system: str, row: str, tests: list[str]) -> None:
    assert tests, f"{system}: {row} is shown by nothing"
    missing = [name for name in tests if f"test_{name}" not in written_tests()]
    assert not missing, f"{system}: {row} names tests that do not exist: {missing}"
